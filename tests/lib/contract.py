"""docs/openapi.yaml as a judge: whether what was asked of berthd, and what it answered, is what the document says."""
import functools
import json
import re
import urllib.parse
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/openapi.yaml"
METHODS = ("get", "post", "delete", "put", "patch")
ASKED = ("idempotency-key", "if-match", "last-event-id")  # headers of a request that are parameters
ANSWERED = ("etag", "www-authenticate")  # headers of an answer that are there where the document has them, and nowhere else


class Broken(AssertionError):
    """Something was asked or answered that the document does not say."""


@functools.cache
def document():
    import yaml
    return yaml.load(DOCUMENT.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def closed(schema):
    """The schema with objects that have nothing else than what it names: what is answered is to be in the document."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


@functools.cache
def validator(pointer):
    """For a place in the document, such as "#/components/schemas/App"."""
    import jsonschema
    whole = closed(document())
    return jsonschema.Draft202012Validator({"$ref": pointer, "components": whole["components"], "paths": whole["paths"]})


def make_ready():
    """Loads all that is needed, for a test that is about to be a user who may not read it."""
    next(validator("#/components/schemas/Problem").iter_errors({}), None)


def resolve(node):
    while isinstance(node, dict) and "$ref" in node:
        target = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def judge(schema, pointer, value, what):
    pointer = schema["$ref"] if "$ref" in schema else pointer
    flaw = next(iter(validator(pointer).iter_errors(value)), None)
    if flaw is not None:
        raise Broken(f"{what}: {'/'.join(map(str, flaw.absolute_path))}: {flaw.message}\n{json.dumps(value)[:2000]}")


@functools.cache
def operations():
    """(method, pattern, parameter names, path of the document, operation)."""
    found = []
    for path, item in document()["paths"].items():
        pattern = re.compile("^" + re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]*)", re.escape(path)) + "$")
        found += [(method.upper(), pattern, path, item[method]) for method in METHODS if method in item]
    return found


def operation_of(method, path):
    for wanted, pattern, template, operation in operations():
        match = pattern.match(path)
        if match and wanted == ("GET" if method == "HEAD" else method):
            return template, operation, match.groupdict()
    return None


def escaped(path):
    return path.replace("~", "~0").replace("/", "~1")


def typed(schema, text):
    """A parameter of a query as the value that it stands for."""
    schema = resolve(schema)
    kind = schema.get("type")
    if kind == "integer" or any(resolve(one).get("type") == "integer" for one in schema.get("oneOf", [])):
        return int(text) if re.fullmatch(r"-?\d+", text) else text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def pointer_to(owner, base):
    """What `owner`, which may be a reference, stands for, and the pointer to that."""
    return resolve(owner), owner.get("$ref", base)


def check_parameters(template, method, query, taken, sent):
    item = document()["paths"][template]
    base, known = f"#/paths/{escaped(template)}", {}
    for where, owner in ((base, item), (f"{base}/{method}", item[method])):
        for number, one in enumerate(owner.get("parameters", [])):
            parameter, pointer = pointer_to(one, f"{where}/parameters/{number}")
            known[parameter["in"], parameter["name"]] = (parameter["schema"], pointer + "/schema")
    given = {**{("query", name): value for name, value in query.items()}, **{("path", name): value for name, value in taken.items()}}
    header_names = {name.lower(): name for place, name in known if place == "header"}
    for name, value in sent.items():
        if name.lower() in ASKED:
            given["header", header_names.get(name.lower(), name)] = value
    for (place, name), value in given.items():
        if (place, name) not in known:
            raise Broken(f"the parameter {name} of the {place} is not in the document")
        schema, pointer = known[place, name]
        judge(schema, pointer, typed(schema, value), f"the parameter {name}")


def check_body(base, operation, body):
    if "requestBody" not in operation:
        if body not in (None, b"", "", "{}", b"{}"):
            raise Broken(f"a body is sent where the document has none: {body!r}")
        return
    wanted, pointer = pointer_to(operation["requestBody"], f"#/paths/{base}/requestBody")
    if not body:
        if wanted.get("required"):
            raise Broken("the body is missing")
        return
    schema = wanted["content"]["application/json"]["schema"]
    judge(schema, f"{pointer}/content/application~1json/schema", json.loads(body), "the body")


def is_json(media):
    """One document, not one a line."""
    return media == "application/json" or media.endswith("+json")


def data_of(media, text):
    """The documents of a text that has several: lines, or the data of server-sent events that came whole."""
    if media == "application/x-ndjson":
        return [line for line in text.split("\n") if line]
    return [line.removeprefix("data: ") for message in text.split("\n\n")[:-1] for line in message.split("\n") if line.startswith("data: ")]


def check_headers(answer, pointer, got):
    documented = {name.lower(): pointer_to(one, f"{pointer}/headers/{name}") for name, one in answer.get("headers", {}).items()}
    found = {name.lower(): value for name, value in got.items()}
    for name, (header, _) in documented.items():
        if header.get("required") and name not in found:
            raise Broken(f"the header {name} is missing")
    for name in ANSWERED:
        if name in found and name not in documented:
            raise Broken(f"the header {name} is answered, which is not in the document")
    for name, (header, where) in documented.items():
        if name in found:
            judge(header["schema"], where + "/schema", found[name], f"the header {name}")


def check_answer(base, operation, status, content_type, text, got):
    """Returns "done" or "problem"."""
    answers = operation["responses"]
    key = str(status) if str(status) in answers else "default"
    if key not in answers or (key == "default" and status < 400):
        raise Broken(f"status {status} is not in the document")
    answer, pointer = pointer_to(answers[key], f"#/paths/{base}/responses/{key}")
    media = content_type.split(";")[0].strip()
    if "content" not in answer:
        if media or text:
            raise Broken(f"status {status} is answered with something, and in the document with nothing")
        check_headers(answer, pointer, got or {})
        return "done"
    if media not in answer["content"]:
        raise Broken(f"status {status} is answered as {media}, which is not in the document")
    if got is not None:
        check_headers(answer, pointer, got)
    content, where = answer["content"][media], f"{pointer}/content/{escaped(media)}"
    if is_json(media):
        judge(content["schema"], where + "/schema", json.loads(text), f"the answer {status}")
    if "x-itemSchema" in content:
        for one in data_of(media, text):
            judge(content["x-itemSchema"], where + "/x-itemSchema", json.loads(one), f"what comes of {media}")
    return "done" if status < 400 else "problem"


def check(method, target, body, status, content_type, text, sent=None, got=None):
    """Raises Broken where an exchange is not as the document says; `sent` and `got`: the headers of the request and of the answer, where they are known. What berthd refused as wrongly asked (400, 404, 405) may have been asked in any way.
    Returns (the operation's id, "done" or "problem"); (None, …) where no such operation is known, which berthd then has to refuse."""
    parts = urllib.parse.urlsplit(target)
    found = operation_of(method, parts.path)
    what = f"{method} {target} ({status})"
    try:
        if found is None:
            if status not in (400, 404, 405):
                raise Broken("the document has no such operation")
            return None, "problem"
        template, operation, taken = found
        method = method.replace("HEAD", "GET").lower()
        base = f"{escaped(template)}/{method}"
        if status not in (400, 404):
            check_parameters(template, method, dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
                             {name: urllib.parse.unquote(value) for name, value in taken.items()}, sent or {})
            check_body(base, operation, body)
        return operation["operationId"], check_answer(base, operation, status, content_type, text, got)
    except Broken as broken:
        raise Broken(f"{what}: {broken}") from None


WORD = re.compile(r"[a-z][a-z -]{0,23}")


def shape(value):
    """What a value is like: two of the same shape are as right as each other, but for numbers and names."""
    if isinstance(value, dict):
        return tuple((key, shape(one)) for key, one in value.items())
    if isinstance(value, list):
        return frozenset(shape(one) for one in value)
    if isinstance(value, str):
        return value if WORD.fullmatch(value) else bool(value)
    return type(value), isinstance(value, (int, float)) and value < 0


seen = set()


def check_new(method, target, body, status, content_type, text, sent=None, got=None):
    """As check, once for all exchanges that are alike: tests ask the same again and again."""
    path, _, query = target.partition("?")
    found = operation_of(method, path)
    try:
        asked, answered = shape(json.loads(body)) if body else None, shape(json.loads(text)) if is_json(content_type.split(";")[0].strip()) else None
    except ValueError:
        asked = answered = None
    names = frozenset(name.lower() for name in (*(sent or {}), *(got or {})) if name.lower() in ASKED + ANSWERED)
    like = (method, found and found[0], frozenset(re.findall(r"(?:^|&)([^=&]*)", query)), status, content_type, asked, answered, names)
    if like not in seen:
        check(method, target, body, status, content_type, text, sent, got)
        seen.add(like)
