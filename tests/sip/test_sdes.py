"""Keys in session descriptions: the two suites, and all that is not taken."""

from __future__ import annotations

import base64

import pytest

from vivavoce.sip.sdes import Crypto, parse_crypto

KEY = bytes(range(30))
INLINE = base64.b64encode(KEY).decode()


@pytest.mark.parametrize(
    ("text", "crypto"),
    [
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}", Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY)),
        (f"2 aes_cm_128_hmac_sha1_32 INLINE:{INLINE}|2^20", Crypto(2, "AES_CM_128_HMAC_SHA1_32", KEY)),
        (f"999 AES_CM_128_HMAC_SHA1_80 inline:{INLINE} WSH=64", Crypto(999, "AES_CM_128_HMAC_SHA1_80", KEY)),
    ],
)
def test_keys_of_both_suites_are_read(text: str, crypto: Crypto) -> None:
    assert parse_crypto(text) == crypto
    assert parse_crypto(str(crypto)) == crypto


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "1 AES_CM_128_HMAC_SHA1_80", f"x AES_CM_128_HMAC_SHA1_80 inline:{INLINE}",
        f"1 AES_256_CM_HMAC_SHA1_80 inline:{INLINE}", f"1 AES_CM_128_HMAC_SHA1_80 uri:{INLINE}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}|2^20|1:4", f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}|1:4",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}|2^20|1:4;inline:{INLINE}|2^20|2:4",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE} UNENCRYPTED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE} KDR=1", "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
        "1 AES_CM_128_HMAC_SHA1_80 inline:????", "1 AES_CM_128_HMAC_SHA1_80 inline:ää",
    ],
)  # fmt: skip
def test_what_is_not_spoken_here_is_not_taken(text: str) -> None:
    assert parse_crypto(text) is None


def test_a_key_is_not_shown() -> None:
    assert "key" not in repr(Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY))
