# SPDX-License-Identifier: Apache-2.0
"""`postern policy authorize`, `validate` and `check-parse`: Cedar from files, with no broker and no configuration.
The published examples are decided where POSTERN_SHARED has them."""
import json
import os
import pathlib

import pytest

from broker import ROOT, program, run

ALLOW, VALID, PARSES = 0, 0, 0
DENY, FINDINGS = 1, 1
USAGE, MALFORMED, NO_INPUT = 64, 65, 66

SHARED = os.environ.get("POSTERN_SHARED", "")
EXAMPLES = pathlib.Path(SHARED) / "cedar" / "examples"
examples = pytest.mark.skipif(not SHARED or not EXAMPLES.is_dir(), reason="POSTERN_SHARED has no examples of Cedar")

SCHEMA = """
entity Team;
entity User in [Team] = { level: Long, home?: ipaddr };
entity Page = { owner: User };
action read appliesTo { principal: User, resource: Page, context: { from: ipaddr, at?: datetime } };
"""
POLICIES = """
@id("staff")
permit (principal in Team::"staff", action == Action::"read", resource)
  when { context.from.isInRange(ip("10.0.0.0/8")) };
@id("low") forbid (principal, action, resource) when { principal.level < 1 };
"""
ENTITIES = [
    {"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 3, "home": "192.168.0.1"},
     "parents": [{"type": "Team", "id": "staff"}]},
    {"uid": {"type": "Page", "id": "index"}, "attrs": {"owner": {"type": "User", "id": "ann"}}, "parents": []},
]
REQUEST = {"principal": 'User::"ann"', "action": {"type": "Action", "id": "read"}, "resource": 'Page::"index"',
           "context": {"from": "10.1.2.3"}}


@pytest.fixture
def files(tmp_path):
    """Writes files, texts as they are and all else as JSON, and answers the options that name them."""
    def write(**contents):
        options = []
        for option, content in {"policies": POLICIES, "entities": ENTITIES, "request": REQUEST,
                                "schema": SCHEMA, **contents}.items():
            if content is None:
                continue
            path = tmp_path / option
            path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1), encoding="utf-8")
            options += [f"--{option}", path]
        return options
    return write


def postern(*words, status=0, **keywords):
    # A home without a configuration: none is needed.
    return run(program("postern"), "policy", *words, status=status, env={"HOME": "/nonexistent"}, **keywords)


def authorize(options, status, *more):
    return json.loads(postern("authorize", *options, "--json", *more, status=status).stdout)


# ---- authorize ----

def test_a_request_is_allowed_and_says_by_what(files):
    assert postern("authorize", *files(), status=ALLOW).stdout == 'Allow\nby policy0 "staff" (2:1)\n'
    assert authorize(files(), ALLOW) == {"decision": "allow", "reasons": ["policy0"], "errors": []}


def test_a_request_is_denied(files):
    outside = {**REQUEST, "context": {"from": "8.8.8.8"}}
    assert authorize(files(request=outside), DENY) == {"decision": "deny", "reasons": [], "errors": []}
    low = [{**ENTITIES[0], "attrs": {"level": 0}}, ENTITIES[1]]
    assert authorize(files(entities=low), DENY) == {"decision": "deny", "reasons": ["policy1"], "errors": []}


def test_a_policy_that_fails_is_told(files):
    nobody = {**REQUEST, "principal": 'User::"bob"'}
    answer = authorize(files(request=nobody), DENY)
    assert answer["decision"] == "deny" and [error["policy"] for error in answer["errors"]] == ["policy1"]
    told = postern("authorize", *files(request=nobody), status=DENY).stdout
    assert told.startswith('Deny\nskipped policy1 "low" (5:1): ')


def test_short_forms_need_a_schema(files):
    answer = authorize(files(schema=None), DENY)
    assert [error["policy"] for error in answer["errors"]] == ["policy0"]  # `from` is a string then
    escaped = {**REQUEST, "context": {"from": {"__extn": {"fn": "ip", "arg": "10.1.2.3"}}}}
    assert authorize(files(schema=None, request=escaped), ALLOW)["reasons"] == ["policy0"]


@pytest.mark.parametrize("changed, where", [
    ({"policies": "permit (principal, action, resource)\nwhen { 1 + };"}, "policies:2:12: "),
    ({"schema": "entity A;\nentity B in [C];"}, "schema:2:14: "),
    ({"entities": "[\n 1.5]"}, "entities:2:2: "),
    ({"entities": '[\n{"uid": {"type": "User", "id": "x"}, "parents": [],\n"attrs": {"level": 1, "rank": 2}}]'}, "entities:3:31: "),
    ({"entities": '[\n  {"uid": {"type": "User", "id": "x"}, "parents": [], "attrs": {}}]'}, "entities:2:3: "),
    ({"request": '{"principal": "User"}'}, "request:1:15: "),
    ({"request": {**REQUEST, "resource": 'User::"ann"'}}, "request:1:1: "),
    ({"request": {**REQUEST, "context": {}}}, "request:1:1: "),
    ({"request": '{"principal": 1, "principal": 1}'}, "request:1:"),
    ({"links": []}, None),
    ({"links": [{"templateId": "policy0", "newId": "a", "values": {}}]}, "links:2:2: "),
])
def test_what_is_malformed_is_located(files, changed, where):
    options = files(**changed)
    if where is None:
        postern("authorize", *options, status=ALLOW)
        return
    done = postern("authorize", *options, status=MALFORMED)
    assert where in done.stderr and done.stdout == ""


def test_templates_are_linked(files):
    template = 'permit (principal == ?principal, action, resource);'
    links = [{"templateId": "policy0", "newId": "for ann", "values": {"?principal": {"type": "User", "id": "ann"}}}]
    assert authorize(files(policies=template), DENY)["reasons"] == []
    assert authorize(files(policies=template, links=links), ALLOW)["reasons"] == ["for ann"]
    as_json = {"staticPolicies": {"no": 'forbid (principal == User::"bob", action, resource);'},
               "templates": {"policy0": template}, "templateLinks": links}
    assert authorize(files(policies=as_json), ALLOW)["reasons"] == ["for ann"]


def test_integers_are_exact(files):
    text = json.dumps(ENTITIES).replace('"level": 3', '"level": 9007199254740993')
    exact = 'permit (principal, action, resource) when { principal.level == 9007199254740993 };'
    assert authorize(files(policies=exact, entities=text), ALLOW)["reasons"] == ["policy0"]


def test_policies_come_from_standard_input(files):
    options = [*files(policies=None)]
    done = postern("authorize", *options, "--policies", "-", status=ALLOW, input=POLICIES)
    assert done.stdout.startswith("Allow\n")
    postern("authorize", "--policies", "-", "--entities", "-", "--request", "-", status=USAGE)


def test_files_that_are_not_there(files, tmp_path):
    none = tmp_path / "none"
    assert str(none) in postern("authorize", *files(policies=None), "--policies", none, status=NO_INPUT).stderr
    postern("validate", "--policies", none, status=NO_INPUT)
    postern("check-parse", none, status=NO_INPUT)
    postern("authorize", status=USAGE)
    postern("validate", status=USAGE)
    postern("check-parse", status=USAGE)


# ---- validate ----

def test_policies_are_valid_or_not(files, tmp_path):
    schema = ["--schema", files()[-1]]
    assert postern("validate", "--policies", tmp_path / "policies", *schema, status=VALID).stdout.startswith("valid: 2 ")
    wrong = 'permit (principal, action, resource);\npermit (principal, action, resource)\n  when { principal.rank > 1 };'
    done = postern("validate", "--policies", "-", *schema, input=wrong, status=FINDINGS)
    assert done.stdout.startswith("-:3:") and ": policy1: " in done.stdout and "rank" in done.stdout
    found = json.loads(postern("validate", "--policies", "-", *schema, "--json", input=wrong, status=FINDINGS).stdout)
    assert found["valid"] is False and found["findings"][0]["policy"] == "policy1"
    assert found["findings"][0]["line"] == 3 and found["findings"][0]["warning"] is False
    never = 'permit (principal, action, resource) when { principal.level > 1 && false };'
    found = json.loads(postern("validate", "--policies", "-", *schema, "--json", input=never, status=VALID).stdout)
    assert found["valid"] is True and [finding["warning"] for finding in found["findings"]] == [True]
    assert "-:1:" in postern("validate", "--policies", "-", *schema, input="permit", status=MALFORMED).stderr


def test_the_broker_has_a_schema_of_its_own():
    policy = 'permit (principal in %s::"web", action == Action::"release", resource in Folder::"web");'
    postern("validate", "--policies", "-", input=policy % "MachineGroup", status=VALID)
    done = postern("validate", "--policies", "-", input=policy % "MachinGroup", status=FINDINGS)
    assert "MachinGroup" in done.stdout


def default_policies():
    """The texts that `postern init` applies, as its source has them."""
    source = (ROOT / "broker" / "command" / "default_policies.c").read_text(encoding="utf-8")
    for name in ("operators", "release"):
        body = source.split(f"static const char {name}[] =")[1].split(";\n\n")[0]
        lines = [line.strip().rstrip(";") for line in body.splitlines() if line.strip()]
        yield name, "".join(json.loads(line.replace("\\'", "'")) for line in lines)


@pytest.mark.parametrize("name, text", list(default_policies()))
def test_default_policies_are_valid(name, text):
    assert "permit" in text or "forbid" in text, name
    assert postern("validate", "--policies", "-", input=text, status=VALID).stdout.startswith("valid: ")


# ---- check-parse ----

def test_files_are_cedar_or_not(tmp_path):
    (tmp_path / "good.cedar").write_text(POLICIES, encoding="utf-8")
    (tmp_path / "bad.cedar").write_text("permit (principal, action, resource)\n  when { context.if };", encoding="utf-8")
    (tmp_path / "good.cedarschema").write_text(SCHEMA, encoding="utf-8")
    (tmp_path / "template.cedar").write_text("permit (principal in ?principal, action, resource);", encoding="utf-8")
    good = [tmp_path / name for name in ("good.cedar", "good.cedarschema", "template.cedar")]
    assert postern("check-parse", *good, status=PARSES).stdout == ""
    done = postern("check-parse", *good, tmp_path / "bad.cedar", status=MALFORMED)
    assert "bad.cedar:2:18: " in done.stderr
    found = json.loads(postern("check-parse", tmp_path / "bad.cedar", *good, "--json", status=MALFORMED).stdout)
    assert [file["parses"] for file in found] == [False, True, True, True]
    assert (found[0]["line"], found[0]["column"]) == (2, 18) and found[1]["policies"] == 2
    postern("check-parse", "-", input="permit (principal, action, resource);", status=PARSES)


# ---- the published examples ----

def example_paths():
    return sorted(path for path in EXAMPLES.glob("*.json") if path.name != "entities.json") if SHARED else []


@examples
@pytest.mark.parametrize("path", example_paths(), ids=[path.stem for path in example_paths()])
def test_examples_validate_and_decide_as_told(path, tmp_path):
    test = json.loads(path.read_text(encoding="utf-8"))
    schema = ("--schema", EXAMPLES / test["schema"])
    policies = ("--policies", EXAMPLES / test["policies"])
    postern("validate", *policies, *schema, status=VALID if test["shouldValidate"] else FINDINGS)
    for number, request in enumerate(test["requests"]):
        (tmp_path / "request").write_text(json.dumps(request), encoding="utf-8")
        # Some requests are meant not to conform.
        by = schema if request.get("validateRequest", True) else ()
        answer = authorize([*policies, *by, "--entities", EXAMPLES / test["entities"], "--request", tmp_path / "request"],
                           ALLOW if request["decision"] == "allow" else DENY)
        assert answer["decision"] == request["decision"], (number, request["description"])
        assert answer["reasons"] == sorted(request["reason"], key=lambda name: int(name[6:]))
        assert sorted(error["policy"] for error in answer["errors"]) == sorted(request["errors"])
