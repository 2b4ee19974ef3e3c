from __future__ import annotations

import orjson
import pytest

from gateway import errors
from gateway.edge.errors import STATUSES, error_body, status_of
from gateway.errors import Code, FieldError, GatewayError

CONTRACT = {
    "INPUT_MODEL_NOT_FOUND": 400,
    "INPUT_INVALID_LABELS": 400,
    "INPUT_LABEL_LIMIT_EXCEEDED": 400,
    "AUTH_MISSING_API_KEY": 401,
    "AUTH_INVALID_API_KEY": 401,
    "AUTH_INVALID_FORMAT": 401,
    "AUTHZ_INSUFFICIENT_BALANCE": 403,
    "AUTHZ_RESOURCE_LIMIT_EXCEEDED": 403,
    "RESOURCE_NOT_FOUND": 404,
    "CONFLICT_RESOURCE_BUSY": 409,
    "RATE_REQUEST_LIMIT_EXCEEDED": 429,
    "RATE_TOKEN_LIMIT_EXCEEDED": 429,
    "RATE_CONCURRENCY_LIMIT_EXCEEDED": 429,
    "RATE_IP_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
    "SERVICE_TIMEOUT": 504,
}

MADE = [
    (errors.model_not_found("x"), "INPUT_MODEL_NOT_FOUND", "Model 'x' not found"),
    (errors.invalid_labels("two labels at least"), "INPUT_INVALID_LABELS", "two labels"),
    (errors.label_limit_exceeded(300, 256), "INPUT_LABEL_LIMIT_EXCEEDED", "300 labels provided, maximum 256"),
    (errors.missing_api_key(), "AUTH_MISSING_API_KEY", "Authentication required"),
    (errors.invalid_api_key(), "AUTH_INVALID_API_KEY", "Invalid API key"),
    (errors.invalid_auth_format(), "AUTH_INVALID_FORMAT", "Invalid authorization format"),
    (errors.insufficient_balance(), "AUTHZ_INSUFFICIENT_BALANCE", "Insufficient account balance"),
    (errors.resource_limit_exceeded(), "AUTHZ_RESOURCE_LIMIT_EXCEEDED", "Resource limit exceeded"),
    (errors.resource_not_found("Model", "x"), "RESOURCE_NOT_FOUND", "Model 'x' not found or access denied"),
    (errors.resource_busy("Classifier", "x"), "CONFLICT_RESOURCE_BUSY", "Classifier 'x' is currently"),
    (errors.request_limit_exceeded(500, 500, 3.0), "RATE_REQUEST_LIMIT_EXCEEDED", "500/500 requests per minute"),
    (errors.token_limit_exceeded(1000, 1000000, 3.0), "RATE_TOKEN_LIMIT_EXCEEDED", "1,000/1,000,000 tokens"),
    (errors.concurrency_limit_exceeded(5, 5), "RATE_CONCURRENCY_LIMIT_EXCEEDED", "5/5 concurrent requests"),
    (errors.ip_limit_exceeded(3.0), "RATE_IP_LIMIT_EXCEEDED", "IP rate limit exceeded"),
    (errors.internal_error(), "INTERNAL_ERROR", "unexpected error"),
    (errors.service_unavailable(), "SERVICE_UNAVAILABLE", "temporarily unavailable"),
    (errors.service_timeout(60), "SERVICE_TIMEOUT", "after 60 seconds"),
]


@pytest.mark.parametrize(("error", "code", "words"), MADE, ids=[row[1] for row in MADE])
def test_each_contract_code_has_its_status_and_sentence(error: GatewayError, code: str, words: str) -> None:
    assert (error.code.value, status_of(error)) == (code, CONTRACT[code])
    assert words in error.message
    assert error.retryable is (CONTRACT[code] in {409, 429, 503, 504})


def test_the_table_holds_all_seventeen() -> None:
    assert [row[1] for row in MADE] == list(CONTRACT)
    assert set(STATUSES) == set(Code)


def test_the_contract_shape_has_exactly_three_fields() -> None:
    assert orjson.loads(error_body(errors.internal_error(), "r1", "contract")) == {
        "detail": "An unexpected error occurred",
        "code": "INTERNAL_ERROR",
        "request_id": "r1",
    }


def test_the_superset_adds_what_openai_clients_read() -> None:
    body = orjson.loads(error_body(errors.token_limit_exceeded(1, 1, 1.0), "r1", "superset"))
    assert set(body) == {"detail", "code", "request_id", "error"}
    assert body["error"] == {
        "message": body["detail"],
        "type": "rate_limit_error",
        "code": "RATE_TOKEN_LIMIT_EXCEEDED",
        "param": None,
    }


@pytest.mark.parametrize("shape", ["superset", "contract"])
def test_a_422_lists_every_field_with_a_string_detail(shape: str) -> None:
    wrong = (FieldError("body -> m -> a", "Field required", "missing"), FieldError("body -> m -> b", "No", "no", 5))
    body = orjson.loads(error_body(errors.invalid_request(wrong), "r1", shape))  # type: ignore[arg-type]
    assert body["detail"] == "Validation errors in 2 fields"
    assert body["errors"] == [
        {"field": "body -> m -> a", "message": "Field required", "type": "missing", "input": None},
        {"field": "body -> m -> b", "message": "No", "type": "no", "input": 5},
    ]
    assert body["code"] == "INPUT_INVALID"
