"""Validates documents: validate.py SCHEMA FILE [SCHEMA FILE]..., schemas of JSON or XML, files also of JSON lines.

    pip install jsonschema xmlschema
"""

import json
import sys

import jsonschema
import xmlschema

for schema, path in zip(sys.argv[1::2], sys.argv[2::2]):
    if schema.endswith(".xsd"):
        xmlschema.XMLSchema(schema).validate(path)
        continue
    with open(schema) as file:
        contents = json.load(file)
    jsonschema.Draft202012Validator.check_schema(contents)
    validator = jsonschema.Draft202012Validator(contents)
    with open(path) as file:
        documents = [json.loads(line) for line in file] if path.endswith(".jsonl") else [json.load(file)]
    for document in documents:
        for error in validator.iter_errors(document):
            sys.exit(f"{path}: {error.json_path}: {error.message[:1000]}")
