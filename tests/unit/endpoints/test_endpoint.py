from __future__ import annotations

from gateway.endpoints import ENDPOINTS, endpoint


def test_every_endpoint_has_a_name_of_its_own_and_all_that_the_pipeline_calls() -> None:
    assert sorted(entry.name for entry in ENDPOINTS) == ["classify", "embeddings", "rerank", "train"]
    wanted = {name for name in vars(endpoint.Endpoint) if not name.startswith("_")}
    assert wanted == {"name", "validate", "assemble", "stream"}
    assert all(wanted <= set(dir(entry)) for entry in ENDPOINTS)
