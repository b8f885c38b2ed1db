"""The OpenAPI document: docs/openapi.json is what lagd makes, references lead somewhere, schemas are schemas, and
examples fit.

    check_openapi.py build/tests/api/print_openapi docs/openapi.json
"""
import json
import re
import subprocess
import sys

import jsonschema

METHODS = {"get", "post", "put", "delete", "patch"}


def references(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def find(document, pointer):
    at = document
    for part in pointer.removeprefix("#/").split("/"):
        at = at[part]
    return at


def no_duplicates(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


def check_operation(document, path, method, operation):
    where = f"{method} {path}"
    assert method in METHODS, where
    assert operation["operationId"] and operation["summary"].endswith((".", "?")), where
    parameters = operation["parameters"]
    assert {p["name"] for p in parameters if p["in"] == "path"} == set(re.findall(r"{(\w+)}", path)), where
    assert len({(p["in"], p["name"]) for p in parameters}) == len(parameters), where
    for parameter in parameters:
        jsonschema.Draft202012Validator.check_schema(parameter["schema"])
    assert "default" in operation["responses"] and any(s.startswith("2") for s in operation["responses"]), where
    for response in operation["responses"].values():
        assert response["description"], where
    body = operation.get("requestBody")
    assert (method in ("post", "put", "patch")) == (body is not None), where
    content = (body or {}).get("content", {}).get("application/json")
    if content:
        whole = {**content["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(whole).validate(content["example"])


def described(where, schema):
    """Every member, at every depth, says what it is."""
    for name, member in schema.get("properties", {}).items():
        if isinstance(member, dict):
            assert member.get("description", "").strip(), f"{where}.{name} has no description: give its row one, or " \
                "api/openapi/glossary.c a word that means the same everywhere"
            described(f"{where}.{name}", member)


def main(program, stored):
    made = subprocess.run([program], check=True, capture_output=True).stdout
    document = json.loads(made, object_pairs_hook=no_duplicates)
    assert document["openapi"] == "3.1.0" and document["info"]["title"] and document["info"]["version"]
    for reference in references(document):
        assert find(document, reference), reference
    names = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            check_operation(document, path, method, operation)
            names.append(operation["operationId"])
    assert len(names) == len(set(names)) >= 40, len(names)
    for name, schema in document["components"]["schemas"].items():
        described(name, schema)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert set(schema["required"]) <= set(schema["properties"]), schema
    used = {r.rsplit("/", 1)[1] for r in references(document)} | {"Event", "ExportLine"}
    assert used == set(document["components"]["schemas"]), used ^ set(document["components"]["schemas"])
    with open(stored, "rb") as f:
        assert f.read() == made, f"{stored} is not what lagd makes: run {program} >{stored}"
    print(f"{len(names)} operations")


main(*sys.argv[1:])
