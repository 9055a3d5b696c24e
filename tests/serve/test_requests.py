"""What requests get from a running service: scores, problems, headers."""

from __future__ import annotations

import io
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from commands import run
from facegauge import zoo
from facegauge.results import Status
from facegauge.scorer import Scorer
from serving import FORM, PNG, Server, form, png, serving, until

ASTRONAUT = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
SECRET = "holiday-of-anna.png"


@pytest.fixture(scope="module")
def server(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A toy scorer, one worker, small limits, and no folder for temporary files."""
    folder = tmp_path_factory.mktemp("service")
    options = ["--scorer", str(toy), "--workers", "1", "--max-body", "4", "--max-files", "3"]
    limits = ["--max-pixels", "1000000", "--queue", "6", "--body-timeout", "2"]
    nowhere = str(folder / "nowhere")
    variables = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), nowhere)
    with serving(folder, *options, *limits, **variables) as running:
        yield running


def test_each_picture_has_its_result_in_the_order_sent(server: Server, toy: Path) -> None:
    files = [("b.png", png(102)), ("notes.txt", b"no picture"), ("a.png", png(51))]
    answer = server.post("/v1/score?faces=whole", files)
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    card = zoo.load_card(toy)
    scorer = {"name": "toy", "version": card.version, "sha256": card.sha256}
    expected = Scorer(toy, faces="whole").score_iter(files)
    assert answer.json == {"scorer": scorer, "pictures": [one.to_dict() for one in expected]}
    assert [one["status"] for one in answer.json["pictures"]] == ["ok", "unreadable", "ok"]
    assert answer.json["pictures"][0]["faces"][0]["score"] == pytest.approx(0.4, abs=1e-5)


def test_one_picture_may_be_the_body(server: Server) -> None:
    for kind in ("image/png", "application/octet-stream"):
        answer = server.ask("POST", "/v1/score?faces=whole", png(), {"Content-Type": kind})
        (entry,) = answer.json["pictures"]
        assert (entry["path"], entry["status"]) == ("<image 0>", "ok")


def test_names_come_back_as_they_were_sent(server: Server) -> None:
    names = ["Zoë & Ян.png", "../../etc/passwd", "<script>"]
    answer = server.post("/v1/score?faces=whole", [(name, png()) for name in names])
    assert [entry["path"] for entry in answer.json["pictures"]] == names
    unnamed = server.post("/v1/score?faces=whole", [("", png()), ("", b""), ("", png())])
    assert [one["path"] for one in unnamed.json["pictures"]] == ["<image 0>", "<image 1>"]


def test_options_are_those_of_the_scorer(server: Server, toy: Path) -> None:
    data = ASTRONAUT.read_bytes()
    for query, options in (
        ("faces=all&min_face=20&factors=resolution&factors=skin",
         {"faces": "all", "min_face": 20, "factors": ["resolution", "skin"]}),
        ("faces=largest&min_face=500", {"faces": "largest", "min_face": 500}),
    ):  # fmt: skip
        (entry,) = server.post(f"/v1/score?{query}", [("a", data)]).json["pictures"]
        assert entry == Scorer(toy, **options).score(("a", data)).to_dict()
    assert entry["status"] == "too_small"


def test_the_best_pictures_come_first(server: Server) -> None:
    files = [("bad", b"?"), ("dark", png(20)), ("bright", png(200))]
    answer = server.post("/v1/best?n=1&faces=whole", files).json
    assert [(one["index"], one["path"]) for one in answer["best"]] == [(2, "bright")]
    assert [(one["index"], one["path"]) for one in answer["unscored"]] == [(0, "bad")]
    same = server.post("/v1/best?n=5&faces=whole", [("x", png()), ("y", png())]).json
    assert [one["path"] for one in same["best"]] == ["x", "y"]  # of equal ones the first


def test_a_picture_with_too_many_pixels_is_not_opened(server: Server) -> None:
    large = png(size=(2000, 1000))
    (entry,) = server.post("/v1/score", [("large", large)]).json["pictures"]
    assert entry["status"] == "too_large" and "1" in entry["message"]


def test_a_large_picture_needs_no_temporary_file(server: Server) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 1000, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert len(file.getvalue()) > 2_000_000
    for answer in (
        server.post("/v1/score?faces=whole", [("noise", file.getvalue())]),
        server.ask("POST", "/v1/score?faces=whole", file.getvalue(), PNG),
    ):
        assert answer.json["pictures"][0]["status"] == "ok"


def part(headers: str, data: str = "x") -> bytes:
    return f"--zzz\r\n{headers}\r\n\r\n{data}\r\n--zzz--\r\n".encode()


DISPOSITION = 'Content-Disposition: form-data; name="files"'
FOUR = form([(str(number), b"x") for number in range(4)])
FACES, FACTORS = "auto, all, largest or whole", "quality, resolution or skin"
MANY = "&".join(f"x{number}=1" for number in range(13))
WRONG: dict[str, tuple[int, str, Any, dict[str, str], tuple[str, ...]]] = {
    "an unknown value": (422, "/v1/score?faces=some", FOUR, FORM, ("faces: got 'some'", FACES)),
    "no value": (422, "/v1/score?faces=", FOUR, FORM, ("faces: got ''", FACES)),
    "no number": (422, "/v1/score?min_face=nan", FOUR, FORM,
                  ("min_face: got 'nan'", "a number from 0 to 100000")),
    "an odd letter": (422, "/v1/score?min_face=%00", FOUR, FORM, ("min_face: got '\\x00'",)),
    "a long value": (422, f"/v1/score?faces={'y' * 999}", FOUR, FORM, (f"'{'y' * 60}...',",)),
    "neither true nor false": (422, "/v1/score?heat_map=maybe", FOUR, FORM,
                               ("heat_map: got 'maybe'", "true or false")),
    "an unknown factor": (422, "/v1/score?factors=age", FOUR, FORM,
                          ("factors: got 'age'", FACTORS)),
    "a factor twice": (422, "/v1/score?factors=skin&factors=skin", FOUR, FORM,
                       ("got 'skin' and 'skin'", "each once")),
    "a parameter twice": (422, "/v1/score?faces=all&faces=whole", FOUR, FORM,
                          ("faces: given 2 times, expected once", FACES)),
    "an unknown parameter": (422, "/v1/score?fases=all", FOUR, FORM,
                             ("fases: not a parameter; did you mean faces?",
                              "/v1/score takes faces, min_face, factors and heat_map")),
    "of another path": (422, "/v1/score?n=3", FOUR, FORM, ("n: not a parameter",)),
    "thirteen parameters": (422, f"/v1/score?{MANY}", FOUR, FORM, ("x9: ", "and 3 more")),
    "n of zero": (422, "/v1/best?n=0", FOUR, FORM,
                  ("n: got '0'", "a whole number from 1 to 100000")),
    "no heat map": (422, "/v1/score?heat_map=1", FOUR, FORM,
                    ("toy has no heat map", "leave it out")),
    "too many files": (413, "/v1/score", FOUR, FORM, ("more than 3 files", "several requests")),
    "no picture": (422, "/v1/score", b"--zzz--\r\n", FORM, ("no picture", "a form without a file")),
    "an empty body": (422, "/v1/score", b"", PNG, ("no picture", "an empty body")),
    "another field": (422, "/v1/score", form([("a", b"x")], "photo"), FORM,
                      ("part 1 of the form has the field 'photo'", "expected 'files'")),
    "no field": (422, "/v1/score", part("X: y"), FORM, ("part 1 of the form has no field",)),
    "a text": (422, "/v1/score", part(DISPOSITION), FORM, ("part 1", "no filename", "not a text")),
    "no form": (400, "/v1/score", b"x" * 99, FORM, ("the line '--zzz' before each file",)),
    "half a form": (400, "/v1/score", FOUR[:99], FORM,
                    ("without its last boundary", "send it again")),
    "a long header": (400, "/v1/score", part("X: " + "y" * 20000), FORM, ("header",)),
    "no boundary": (400, "/v1/score", FOUR, {"Content-Type": "multipart/form-data"},
                    ("without a boundary", "curl -F")),
    "another type": (415, "/v1/score", b"{}", {"Content-Type": "application/json"},
                     ("got the Content-Type 'application/json'", "expected multipart/",
                      "curl use -F")),
    "no type": (415, "/v1/score", b"{}", {}, ("got no Content-Type", "image/*")),
    "compressed": (415, "/v1/score", b"x", {**PNG, "Content-Encoding": "gzip"},
                   ("the Content-Encoding 'gzip', expected none",)),
    "too long": (413, "/v1/score", bytes(4_200_001), PNG, ("a body of 4.2 MB", "at most 4 MB")),
    "too long, by parts": (413, "/v1/score", iter([bytes(10**6)] * 5), PNG,
                           ("more than 4 MB", "at most 4 MB")),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests_have_a_problem_document(server: Server, case: str) -> None:
    status, path, body, headers, told = WRONG[case]
    answer = server.ask("POST", path, body, headers)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    problem = answer.json
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert problem["title"] and "\n" not in problem["detail"]
    assert [words for words in told if words not in problem["detail"]] == [], problem["detail"]
    limits = {"too many files": ("max_files", 3), "too long": ("max_body", 4_000_000)}
    if case in limits:
        assert (problem["limit"], problem["value"]) == limits[case]


def test_other_paths_and_methods_have_a_problem_document(server: Server) -> None:
    missing, wrong = server.get("/docs"), server.get("/v1/score")
    assert (missing.status, missing.json["title"]) == (404, "Not Found")
    assert "nothing at /docs; /openapi.json" in missing.json["detail"]
    assert (wrong.status, wrong.headers["allow"]) == (405, "OPTIONS, POST")
    assert "/v1/score does not take GET; it takes OPTIONS and POST" in wrong.json["detail"]
    assert server.get("/redoc").status == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_slash_at_the_end_leads_nowhere_else(server: Server, method: str) -> None:
    """A redirect names a host and a scheme, which behind a proxy are not those of the client."""
    for path in ("/v1/score/", "/healthz/", "/page/main.js/"):
        answer = server.ask(method, path)
        assert answer.status in (404, 405) and "location" not in answer.headers
    asked = server.ask(method, "/v1/score/").json["detail"]
    assert "nothing at /v1/score/; did you mean /v1/score?" in asked


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/models", "/page/main.js"]
)
def test_head_is_get_without_a_body(server: Server, path: str) -> None:
    head, get = server.ask("HEAD", path), server.get(path)
    assert (head.status, head.body) == (200, b"") and get.body
    changing = ("content-length", "date") if path == "/metrics" else ("date",)
    same = [
        {name: h for name, h in one.headers.items() if name not in changing} for one in (head, get)
    ]
    assert same[0] == same[1]
    assert server.ask("OPTIONS", path).headers["allow"] == "GET, HEAD, OPTIONS"


def test_options_tells_the_methods(server: Server) -> None:
    answer = server.ask("OPTIONS", "/v1/score")
    assert (answer.status, answer.body, answer.headers["allow"]) == (204, b"", "OPTIONS, POST")
    assert server.ask("OPTIONS", "/nothing").status == 404
    assert "head" not in server.get("/openapi.json").json["paths"]["/healthz"]


def raw(server: Server, *pieces: bytes) -> bytes:
    """All that comes back for bytes that are sent as they are."""
    with socket.create_connection(("127.0.0.1", server.port), 60) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return b"".join(iter(lambda: connection.recv(65536), b""))


HEAD = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"


@pytest.mark.slow
def test_slow_and_lying_senders_do_not_keep_a_place(server: Server) -> None:
    lying = raw(server, HEAD + b"Content-Length: 99\r\n\r\nonly this")
    assert lying.startswith(b"HTTP/1.1 408 ") and b'"limit":"body_timeout"' in lying
    assert b"connection: close" in lying.lower()
    assert b"got 9 bytes of the 99 announced" in lying
    halting = raw(server, HEAD)
    assert halting.startswith(b"HTTP/1.1 408 ") and b"headers did not arrive" in halting
    assert raw(server) == b""  # nothing was asked
    huge = raw(server, HEAD + b"Content-Length: 9999999999999\r\n\r\nx")
    assert huge.startswith(b"HTTP/1.1 413 ")
    negative = b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"
    short = HEAD + b"Content-Length: 1\r\n\r\nxyz nonsense\r\n\r\n"
    for words in (negative, short, b"\x16\x03\x01\x02\r\n\r\n"):
        broken = raw(server, words)
        assert b"HTTP/1.1 400 " in broken and b"x-content-type-options" in broken.lower()
    until(lambda: server.metric("facegauge_held_bytes") == 0, "the bytes to be freed")
    assert server.ready


REFUSED_HEADS = {
    "no host": (b"", 400, b"Missing mandatory Host: header"),
    "two lengths": (
        b"Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        400,
        b"Content-Length",
    ),
    "an unknown coding": (
        b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n",
        501,
        b"chunked is supp",
    ),
    "endless headers": (b"Host: x\r\nX: " + b"y" * 70_000, 431, b"more than 65536 bytes"),
    "a zero in a header": (b"Host: x\r\nX: a\0b\r\n", 400, b"illegal header line"),
}


@pytest.mark.parametrize("case", REFUSED_HEADS)
def test_what_is_not_http_is_told_why(server: Server, case: str) -> None:
    headers, status, told = REFUSED_HEADS[case]
    end = b"" if status == 431 else b"\r\n"
    answer = raw(server, b"GET /healthz HTTP/1.1\r\n", headers + end)
    assert answer.startswith(b"HTTP/1.1 %d " % status) and told in answer
    assert b"application/problem+json" in answer and b"bytearray" not in answer


def test_requests_on_one_connection_are_answered_in_turn(server: Server) -> None:
    health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    score = HEAD + b"Content-Length: %d\r\n\r\n" % len(png()) + png()
    answer = raw(server, health * 2 + score * 3 + health, b"NONSENSE\r\n\r\n")
    order = re.findall(rb'\r\n\r\n{"(status|scorer|type)"', answer)
    assert order == [b"status"] * 2 + [b"scorer"] * 3 + [b"status", b"type"]


def test_a_chunk_that_breaks_off_harms_nobody(server: Server) -> None:
    begun = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
    assert raw(server, begun, b"ZZZ\r\nxx").startswith(b"HTTP/1.1 400 ")
    until(lambda: server.metric("facegauge_held_bytes") == 0, "the bytes to be freed")
    assert server.ready and "Traceback" not in server.log.read_text()


def test_a_client_that_does_not_read_is_cut_off(server: Server) -> None:
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        client.sendall(asked * 1000)

        def cut_off() -> bool:
            try:
                client.send(b"G")
            except (ConnectionResetError, BrokenPipeError):
                return True
            return False

        until(cut_off, "the end of the connection")
    assert server.ready


def test_headers_protect_and_nobody_elsewhere_may_use_it(server: Server) -> None:
    for answer in (server.get("/healthz"), server.get("/nothing"), server.get("/openapi.json"),
                   server.ask("OPTIONS", "/v1/score", headers={"Origin": "https://a.example",
                              "Access-Control-Request-Method": "POST"}),
                   server.ask("POST", "/v1/score?faces=whole", png(),
                              {**PNG, "Origin": "https://a.example"})):  # fmt: skip
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers


def test_the_description_has_every_path_and_examples_in_shape(server: Server) -> None:
    document = server.get("/openapi.json").json
    assert set(document["paths"]) == {
        *("/v1/score", "/v1/best", "/v1/models", "/healthz", "/readyz", "/metrics")
    }
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for given in operation["responses"].values():
                for kind, content in given.get("content", {}).items():
                    if kind != "text/plain":
                        assert_fits(content["example"], content["schema"], schemas)
            if method == "post":
                assert {"400", "408", "413", "415", "422", "429", "503", "504"} <= set(
                    operation["responses"]
                )
                assert set(operation["requestBody"]["content"]) >= {"multipart/form-data"}
                assert operation["parameters"], path
    asked = "/v1/score?factors=skin&factors=quality"
    answer = server.post(asked, [("a", ASTRONAUT.read_bytes()), ("b", b"?")])
    assert_fits(answer.json, {"$ref": "#/components/schemas/Scores"}, schemas)
    answer = server.post("/v1/best?n=2&faces=whole", [("a", png()), ("b", b"?")])
    assert_fits(answer.json, {"$ref": "#/components/schemas/Best"}, schemas)
    models = server.get("/v1/models").json
    assert_fits(models, {"$ref": "#/components/schemas/Models"}, schemas)
    assert models["models"][0]["name"] == "toy" and models["models"][0]["heat_map"] is False
    statuses = schemas["Picture"]["properties"]["status"]["enum"]
    assert statuses == [status.value for status in Status]


KINDS = {"string": str, "number": int | float, "integer": int, "boolean": bool, "null": type(None),
         "object": dict, "array": list}  # fmt: skip


def assert_fits(value: Any, schema: Any, schemas: Any) -> None:
    """The value has the types and properties of a schema, and no others."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(isinstance(value, KINDS[kind]) for kind in kinds), (value, schema)
    if isinstance(value, dict):
        assert set(value) <= set(schema["properties"]), (value, schema)
        assert set(schema.get("required", ())) <= set(value), (value, schema)
        for name, one in value.items():
            assert_fits(one, schema["properties"][name], schemas)
    elif isinstance(value, list):
        for one in value:
            assert_fits(one, schema["items"], schemas)


def test_metrics_count_and_the_log_names_nobody(server: Server) -> None:
    before = server.metric('facegauge_pictures_total{status="ok"}')
    server.post("/v1/score?faces=whole", [(SECRET, png()), (SECRET, b"?")])
    server.get(f"/{SECRET}")
    server.post(f"/v1/score?{SECRET}=1", [(SECRET, png())])
    raw(server, f"GET /{SECRET} HTTP/9.9\r\n\r\n".encode())
    assert server.metric('facegauge_pictures_total{status="ok"}') == before + 1
    assert server.metric('facegauge_requests_total{path="other",status="404"}') >= 1
    assert SECRET not in server.get("/metrics").body.decode()
    log = server.log.read_text()
    assert re.search(r"/v1/score 200 OK, 2 pictures, \d\.\d{3} s", log)
    assert SECRET not in log and log.count("127.0.0.1") == 1  # where it listens


def test_the_key_is_asked_for_and_pages_elsewhere_may_be_allowed(toy: Path, tmp_path: Path) -> None:
    origin = "https://photos.example"
    options = [
        "--scorer",
        str(toy),
        "--workers",
        "1",
        "--cors-origin",
        "HTTPS://Photos.example:443",
    ]
    with serving(tmp_path, *options, FACEGAUGE_API_KEY="s3cret") as server:
        another = "got another key; expected the key"
        for given, told in (({}, "got no Authorization header"),
                            ({"Authorization": "Bearer s3cre"}, another),
                            ({"Authorization": "Basic s3cret"}, "got the scheme 'Basic'"),
                            ({"Authorization": "s3cret"}, "an Authorization of one word"),
                            ({"Authorization": "Bearer s3cret\xe9"}, another)):  # fmt: skip
            answer = server.ask("POST", "/v1/score", png(), {**PNG, **given})
            assert answer.status == 401 and answer.headers["www-authenticate"] == "Bearer"
            assert told in answer.json["detail"] and "s3cre" not in answer.json["detail"]
            assert server.ask("GET", "/metrics", headers=given).status == 401
        assert server.get("/nothing").status == 401
        log = server.log.read_text()
        assert log.count("/v1/score 401 Unauthorized") == 5 and "nothing" not in log
        assert server.get("/healthz").status == server.get("/readyz").status == 200
        assert server.ask("HEAD", "/healthz").status == 200
        headers = {**PNG, "Authorization": "Bearer s3cret", "Origin": origin}
        answer = server.ask("POST", "/v1/score?faces=whole", png(), headers)
        assert answer.status == 200 and answer.headers["access-control-allow-origin"] == origin
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
        assert server.ask("OPTIONS", "/v1/score", headers=asked).status == 200
        other = server.ask("OPTIONS", "/v1/score", headers={**asked, "Origin": "https://b.example"})
        assert other.headers.get("access-control-allow-origin") is None
        document = server.get("/openapi.json").json
        assert document["paths"]["/v1/score"]["post"]["security"] == [{"key": []}]
        assert "security" not in document["paths"]["/healthz"]["get"]


@pytest.mark.skipif(zoo.DEFAULT not in zoo.names(), reason="no scorer is shipped")
def test_numbers_are_those_of_the_command_line(tmp_path: Path) -> None:
    pictures = sorted(ASTRONAUT.parent.glob("*.jpg"))
    table = tmp_path / "table.jsonl"
    factors = ["--factor", "resolution", "--factor", "skin"]
    assert run("score", *pictures, "-o", table, "--faces", "all", *factors).exit_code == 0
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    files = [(str(path), path.read_bytes()) for path in pictures]
    with serving(tmp_path) as server:
        query = "faces=all&factors=resolution&factors=skin"
        found = server.post(f"/v1/score?{query}", files).json["pictures"]
        expected = Scorer(faces="all", factors=["resolution", "skin"]).score_iter(files)
        assert found == [one.to_dict() for one in expected]
        shown = server.post("/v1/score?heat_map=1", files[:1]).json["pictures"][0]
        heat_map = Scorer().heat_map(pictures[0])
        assert shown["heat_maps"][0]["values"] == pytest.approx(
            np.asarray(heat_map.values, float), abs=1e-6
        )
        assert shown["heat_maps"][0]["left"] == heat_map.frame.left
    assert len(rows) == len(found) > 3
    for row, entry in zip(rows, found, strict=True):
        (face,) = entry["faces"]
        flat = {**face, **face["factors"], "path": entry["path"], "status": entry["status"]}
        flat["notes"] = " ".join(face["notes"]) or None  # words in a cell, a list in JSON
        for name, value in row.items():
            if name in flat:
                mine = flat[name]
                assert value == (round(mine, 6) if isinstance(mine, float) else mine), name


def hostile(number: int, rng: np.random.Generator) -> bytes:
    """A damaged picture, or none: cut, flipped, with a header that lies, or noise."""
    kind = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP")[number % 6]
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (40, 30, 3), np.uint8)).save(file, kind)
    data = bytearray(file.getvalue())
    match number // 6 % 4:
        case 0:
            return bytes(data[: rng.integers(1, len(data))])
        case 1:
            for place in rng.integers(0, len(data), 20):
                data[place] = rng.integers(0, 256)
        case 2:
            data[10:60] = b"\xff" * 50
        case _:
            return bytes(data[:16]) + rng.bytes(400)
    return bytes(data)


@pytest.mark.slow
def test_hostile_files_have_their_status_and_harm_nobody(server: Server) -> None:
    rng = np.random.default_rng(0)
    replaced = server.metric("facegauge_workers_replaced_total")
    statuses = set()
    for start in range(0, 600, 3):
        files = [(str(number), hostile(number, rng)) for number in range(start, start + 3)]
        answer = server.post("/v1/score?faces=whole", files)
        assert answer.status == 200
        assert [one["path"] for one in answer.json["pictures"]] == [name for name, _ in files]
        statuses |= {one["status"] for one in answer.json["pictures"]}
    assert {"ok", "unreadable"} <= statuses <= {"ok", "unreadable", "too_large", "error"}
    assert server.metric("facegauge_workers_replaced_total") == replaced
