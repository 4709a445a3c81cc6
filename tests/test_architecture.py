"""The arrows between the folders, and what the pure ones may know: judged from the imports, nothing is run."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "vivavoce"

ARROWS = {
    "core": {"core"},
    "audio": {"audio"},
    "dialects": {"dialects", "core"},
    "relay": {"relay", "dialects", "audio", "core"},
    "engines": {"engines", "audio", "core", "config"},
    "rtp": {"rtp"},
    "sip": {"sip"},
    "legs": {"legs", "rtp", "sip", "audio", "dialects", "core", "config", "telephony"},
    "server": {
        "server",
        "legs",
        "sip",
        "engines",
        "relay",
        "dialects",
        "audio",
        "core",
        "config",
        "routing",
        "telephony",
    },
    "check": {"check", "legs", "audio", "core"},
    "cli": {"cli", "check", "server", "legs", "engines", "dialects", "audio", "core", "config"},
    "config": {"core", "catalogue", "options", "phonebook", "routing", "telephony", "upstreams"},
    "catalogue": {"options"},
    "upstreams": {"core", "options", "routing", "tables"},
    "routing": {"core", "options"},
    "telephony": {"options"},
    "phonebook": {"core", "options", "tables", "telephony"},
    "tables": {"core", "options"},
    "options": set(),
}
"""What each folder, or module beside the folders, may import of this package; `config` for its frozen settings."""

PURE = {
    "core": {"msgspec"},
    "audio": {"msgspec", "numpy"},
    "dialects": {"msgspec", "pybase64"},
    "relay": {"msgspec", "pybase64"},
    "rtp": {"msgspec"},
    "sip": {"msgspec"},
}
"""The pure folders, and the third-party libraries that each may import."""

IMPURE_MODULES = {
    "asyncio", "concurrent", "datetime", "getpass", "io", "locale", "logging", "multiprocessing", "os", "pathlib",
    "platform", "queue", "random", "sched", "secrets", "select", "selectors", "shutil", "signal", "socket", "ssl",
    "subprocess", "sys", "tempfile", "threading", "time", "uuid", "warnings",
}  # fmt: skip
"""Modules of the standard library that know a clock, chance, the system or other threads."""

FILES = {"audio/wav.py": {"os", "pathlib"}}
"""Modules of the pure folders whose business is files."""

EVERYWHERE = {"msgspec", "numpy", "pybase64"}
"""Third-party libraries that are part of the language here: values, arrays and base64."""

SEVERAL = {
    # Keys from DTLS and keys from the offer, in two processes.
    "pylibsrtp": {"legs/phone/secrecy.py", "legs/webrtc/dtls.py"},
    # PyAV codes files in a process of its own, and G.722 in the telephone's; `opus` only looks where libopus lies.
    "av": {"engines/media_child.py", "legs/opus.py", "legs/phone/g722.py"},
    "fastapi": {"server/app.py", "server/rest/http.py"},
    "httpx": {"engines/chat.py", "server/phone/webhooks.py"},
    "starlette": {"server/app.py", "server/rest/http.py"},
    "uvicorn": {"server/hybrid.py", "server/serve.py"},
    "websockets": {"check/network.py", "legs/upstream.py"},
}
"""Third-party libraries that may be named in more than one file, and where.  All others: in exactly one."""

PROGRAMS = {"engines/espeak_child.py", "engines/media_child.py", "legs/phone/engine_child.py"}
"""Modules that run as a child process: their arguments are a call's."""

CALL = "server/call.py"


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Every module of the package by its path in it."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"), str(path))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def folder_of(module: str) -> str:
    return module.split("/")[0].removesuffix(".py")


def imports(module: str) -> Iterator[str]:
    """Dotted names of what a module imports, anywhere in it; this package's own begin with `vivavoce.`."""
    package = ["vivavoce", *module.split("/")[:-1]]
    for node in ast.walk(trees()[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *(node.module or "").split(".")]).rstrip(".")
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if name in ("find_spec", "import_module", "files", "__import__") and isinstance(first, ast.Constant):
                yield "vivavoce" + first.value if str(first.value).startswith(".") else str(first.value)


def own(module: str) -> set[str]:
    """Folders and top modules of this package that a module imports."""
    parts = [name.split(".") for name in imports(module)]
    found = {part[1] for part in parts if part[0] == "vivavoce" and len(part) > 1}
    return {name for name in found if name in ARROWS or (PACKAGE / f"{name}.py").exists()}


def foreign(module: str) -> set[str]:
    """Top names of what a module imports that is not of this package."""
    return {name.split(".")[0] for name in imports(module)} - {"vivavoce", "__future__"}


def third_party(module: str) -> set[str]:
    return foreign(module) - sys.stdlib_module_names


def test_every_folder_has_its_place_in_the_arrows() -> None:
    folders = {folder_of(module) for module in trees()} - {"__init__", "__main__"}
    assert folders <= ARROWS.keys()


@pytest.mark.parametrize("folder", ARROWS)
def test_imports_follow_the_arrows(folder: str) -> None:
    wrong = {
        module: sorted(own(module) - ARROWS[folder])
        for module in trees()
        if folder_of(module) == folder and own(module) - ARROWS[folder]
    }
    assert not wrong


@pytest.mark.parametrize("folder", PURE)
def test_pure_folders_know_no_clock_chance_system_or_threads(folder: str) -> None:
    wrong = {
        module: sorted(
            foreign(module) & IMPURE_MODULES - FILES.get(module, set()) | (third_party(module) - PURE[folder])
        )
        for module in trees()
        if folder_of(module) == folder
    }
    assert not {module: names for module, names in wrong.items() if names}


def test_only_the_call_knows_a_leg_and_a_brain() -> None:
    both = {module for module in trees() if {"Leg", "Brain"} <= {name.split(".")[-1] for name in imports(module)}}
    assert both <= {CALL}


def test_each_third_party_library_is_named_in_one_file() -> None:
    where: dict[str, set[str]] = {}
    for module in trees():
        for library in third_party(module) - EVERYWHERE:
            where.setdefault(library, set()).add(module)
    wrong = {
        library: sorted(modules)
        for library, modules in where.items()
        if len(modules) > 1 and modules != SEVERAL.get(library)
    }
    assert not wrong


def test_only_the_command_line_reads_arguments_and_environment() -> None:
    readers = {
        module
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if ast.unparse(node) in ("os.environ", "os.environb", "os.getenv", "sys.argv")
    }
    assert {module for module in readers if folder_of(module) != "cli"} <= {"config.py"} | PROGRAMS


def test_modules_and_functions_stay_small() -> None:
    long = [
        f"{module}:{node.lineno} {node.name}"
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 64
    ]
    big = [module for module in trees() if len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) > 450]
    assert not long + big


# Written in pieces, so that this file does not name what it looks for.
UNWANTED = re.compile(
    "|".join(
        [
            "py" + r"pi\.(org|python)",
            "python" + r"hosted\.org",
            "registry\\." + r"(n" + r"pmjs|yarnpkg)",
            "deb\\." + r"debian\.org",
            "extra-" + "index-url",
            r"(^|[\s\"'=(`])/(wo" + r"rk|ro" + r"ot|tmp/h|opt/py" + r"pi)/",
        ]
    ),
    re.IGNORECASE | re.MULTILINE,
)
TEXTS = {"", ".cfg", ".in", ".js", ".json", ".md", ".mjs", ".py", ".sh", ".toml", ".ts", ".tsv", ".txt", ".yml"}
MADE = {".git", ".venv", ".venv-interop", "node_modules", "__pycache__", ".hypothesis", "build", "dist", "output_audio"}


def texts() -> Iterator[Path]:
    """Every text file of the project, but for what its own commands make."""
    folders = [ROOT]
    while folders:
        for path in folders.pop().iterdir():
            if path.name in MADE or path.name.endswith("_cache") or path.is_symlink():
                continue
            if path.is_dir():
                folders.append(path)
            elif path.suffix in TEXTS:
                yield path


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {match.group().strip()}"
        for path in texts()
        for match in UNWANTED.finditer(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert not found
