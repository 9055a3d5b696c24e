"""The paths of the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from facegauge import __version__
from facegauge.factors import FACTORS
from facegauge.serve import openapi
from facegauge.serve.middleware import Guard
from facegauge.serve.origins import allow_origins
from facegauge.serve.page_file import PageFile
from facegauge.serve.page_paths import add_page
from facegauge.serve.parameters import (
    BestQuery,
    ScoreQuery,
    answer_wrong_parameters,
    check_once,
)
from facegauge.serve.problems import Problem, answer_http_error, answer_problem
from facegauge.serve.scoring import Scored
from facegauge.serve.service import Service

SCORE_PROBLEMS = (400, 401, 408, 413, 415, 422, 429, 500, 503, 504)
SUMMARY = "Perceptual quality of the faces in pictures, 0 (worst) to 1 (best)."


def create_app(
    service: Service,
    origins: list[str] | None = None,
    page: Mapping[str, PageFile] | None = None,
) -> FastAPI:
    """The application, for any ASGI server.

    Args:
        service: scores the pictures.
        origins: of pages elsewhere that may use it from a browser (CORS); none by default.
        page: the files of the page at `/`, see `page_files`; None: there is no page.
    """
    app = FastAPI(
        title="facegauge",
        summary=SUMMARY,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # behind a proxy they would lead elsewhere
    )
    app.state.service = service
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_exception_handler(RequestValidationError, answer_wrong_parameters)
    _add_paths(app, service)
    if page:
        add_page(app, page)
    if origins:
        allow_origins(app, origins)
    app.add_middleware(Guard, service=service)
    _document(app, service)
    _answer_head(app)
    return app


def _add_paths(app: FastAPI, service: Service) -> None:
    scorer = {name: getattr(service.model, name) for name in ("name", "version", "sha256")}
    scored, unscored = openapi.SCORED.to_dict(), openapi.UNREADABLE.to_dict()

    @app.post(
        "/v1/score",
        summary="Score pictures",
        responses=openapi.answers(
            "One result for each picture, in the order sent",
            "Scores",
            {"scorer": scorer, "pictures": [scored, unscored]},
            *SCORE_PROBLEMS,
        ),
        openapi_extra=openapi.body(),
    )
    async def score(request: Request, query: Annotated[ScoreQuery, Query()]) -> Response:
        """A picture that cannot be scored has its status and a message."""
        check_once(request, query)
        results = await service.score(request, query.options())
        request.scope["pictures"] = len(results)
        return JSONResponse({"scorer": scorer, "pictures": [one.to_dict() for one in results]})

    @app.post(
        "/v1/best",
        summary="Find the pictures with the best faces",
        responses=openapi.answers(
            "The best pictures, best first, and those without a scored face",
            "Best",
            {
                "scorer": scorer,
                "best": [{"index": 1, **scored}],
                "unscored": [{"index": 0, **unscored}],
            },
            *SCORE_PROBLEMS,
        ),
        openapi_extra=openapi.body(),
    )
    async def best(request: Request, query: Annotated[BestQuery, Query()]) -> Response:
        """A picture counts by its best face; of equal pictures the first counts more."""
        check_once(request, query)
        results = await service.score(request, query.options())
        request.scope["pictures"] = len(results)
        chosen, others = _ranked(results)
        return JSONResponse({"scorer": scorer, "best": chosen[: query.n], "unscored": others})

    @app.get(
        "/v1/models",
        summary="What this service scores with",
        responses=openapi.answers("The scorer", "Models", {"models": [_model(service)]}, 401),
    )
    async def models() -> Response:
        return JSONResponse({"models": [_model(service)]})

    @app.get(
        "/healthz",
        summary="Whether the service runs",
        responses=openapi.answers("It runs", "Health", {"status": "ok"}),
    )
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get(
        "/readyz",
        summary="Whether every worker has scored a picture",
        responses=openapi.answers("Ready for pictures", "Health", {"status": "ready"}, 503),
    )
    async def readyz() -> Response:
        service.check_ready()
        return JSONResponse({"status": "ready"})

    text = {"content": {"text/plain": {"schema": {"type": "string"}}}}

    @app.get(
        "/metrics",
        summary="Counters and times for Prometheus",
        response_class=Response,
        responses={200: text, 401: openapi.problem(401)},
    )
    async def metrics() -> Response:
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _model(service: Service) -> dict[str, Any]:
    return {**asdict(service.model), "factors": list(FACTORS)}


def _ranked(results: list[Scored]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The pictures with a score, best first, and the others, each with its place."""
    places = range(len(results))
    scores = [one.result.score for one in results]
    scored = [place for place in places if scores[place] is not None]
    scored.sort(key=lambda place: scores[place] or 0.0, reverse=True)
    others = [place for place in places if scores[place] is None]
    entries = [{"index": place, **results[place].to_dict()} for place in places]
    return [entries[place] for place in scored], [entries[place] for place in others]


def _answer_head(app: FastAPI) -> None:
    """Let every path that takes GET take HEAD; /openapi.json need not say it of each."""
    for route in app.routes:
        methods = getattr(route, "methods", None)
        if methods and "GET" in methods:
            methods.add("HEAD")


def _document(app: FastAPI, service: Service) -> None:
    """Put the schemas of the answers into /openapi.json."""
    written = app.openapi()  # which keeps it
    written.setdefault("components", {})["schemas"] = openapi.SCHEMAS
    if service.key is not None:
        written["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for name, path in written["paths"].items():
            if Guard.needs_key(name):
                for operation in path.values():
                    operation["security"] = [{"key": []}]
