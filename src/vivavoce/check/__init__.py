"""A conformance checker for any Realtime server, which judges by what goes over the wire and by tables of its own.

| module | noun |
|---|---|
| `order`, `answers` | `Order`: in which order a server may say things |
| `fields` | what each server event must carry |
| `standing` | the rules of every connection, and the `Ledger` of those broken |
| `spelling` | `Spelling`: settings and events of either shape by one name |
| `target`, `network` | `Target`: a server that can be dialled; `Network`: one at a URL |
| `talk` | `Talk`: one connection; `Reply`: one response |
| `cases`, `suite` | `Case`: a rule and how to find out; all of them |
| `recordings` | `Utterance`: what cases say |
| `verdict` | `Broken`, `Skipped`: how a case ends other than well |
| `run`, `report` | `Plan`, `Result`; the table, JSON and JUnit's XML |
"""
