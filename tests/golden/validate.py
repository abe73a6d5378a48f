"""Validates files against schemas.

    python validate.py SCHEMA FILE [SCHEMA FILE]...

A schema is a JSON schema or, with the extension .xsd, an XML schema. A file with the extension .jsonl contains one JSON document
per line. Exits with a message at the first invalid document.

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
