"""A Hugging Face Hub in memory: the library's own code talks to it through a transport that has no network.

Only what fergan asks of the Hub is here. A fault may be set to answer, or to raise, in place of the Hub.
"""

import base64
import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

import yaml
from huggingface_hub import constants, set_client_factory
from huggingface_hub.utils import _http

http = getattr(_http, "httpx2", None) or _http.httpx  # the library's choice of an HTTP library
TOKENS = {"good": ("tester", "write"), "reads": ("tester", "read"), "other": ("somebody", "write")}
NEW = {".gitattributes": b"*.safetensors filter=lfs\n"}
TEMPLATE = {"index.html": b"Welcome to your static Space!", "style.css": b"body {}"}
"""What the Hub begins a static Space with, beside NEW."""
RESOLVE = re.compile(r"/(?:(space|dataset)s/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
API = re.compile(
    r"/api/(model|space|dataset)s/([^/]+/[^/]+)(?:/(revision|tree|preupload|commits?|tag|refs)(?:/([^/]+))?)?"
)


def oid(content):
    """Git's name of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Repo:
    private: bool
    sdk: str | None = None
    commits: list = field(default_factory=lambda: [("0" * 40, dict(NEW))])
    """(id, files) from the first, which the Hub makes itself."""
    tags: dict = field(default_factory=dict)

    @property
    def files(self):
        return self.commits[-1][1]

    def commit(self, files):
        self.commits.append(
            (hashlib.sha1(repr((len(self.commits), sorted(files))).encode()).hexdigest(), files)
        )
        return self.commits[-1][0]

    def at(self, revision):
        """(id, files) of a branch, a tag or a commit; None where there is none."""
        known = dict(self.commits)
        revision = self.commits[-1][0] if revision == "main" else self.tags.get(revision, revision)
        return (revision, known[revision]) if revision in known else None


class FakeHub:
    def __init__(self):
        self.repos = {}
        """By (kind, owner/name)."""
        self.requests = []
        """(method, path) of all that was asked."""
        self.fault = None
        """Called with (method, path); answers, raises, or gives None to let the Hub answer."""

    def fail(self, part, answer):
        """From now on whatever has `part` in its "METHOD path" gets the answer, a status or an exception."""

        def fault(method, path):
            if part not in f"{method} {path}":
                return None
            if isinstance(answer, int):
                return refusal(answer)
            raise answer

        self.fault = fault

    def lose_network(self):
        self.fail("", http.ConnectError("no route to host"))

    def asked(self, part):
        return [path for method, path in self.requests if part in f"{method} {path}"]

    def __call__(self, request):
        assert request.url.host == "huggingface.co", f"the network is out of bounds: {request.url}"
        path = unquote(request.url.path)
        self.requests.append((request.method, path))
        if self.fault and (answer := self.fault(request.method, path)) is not None:
            return answer
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in TOKENS:
            return refusal(401, message="Invalid credentials in Authorization header")
        who, role = TOKENS.get(token, ("", ""))
        if path == "/api/whoami-v2":
            return http.Response(200, json={"type": "user", "name": who, "orgs": []}) if who else refusal(401)
        if path == "/api/validate-yaml":
            return self.check_card(json.loads(request.content)["content"])
        if path == "/api/repos/create":
            return self.create(json.loads(request.content), who, role)
        if found := RESOLVE.fullmatch(path):
            kind, name, revision, file = found.groups()
            return self.resolve(kind or "model", name, revision, file, who, request.method)
        kind, name, verb, revision = API.fullmatch(path).groups()
        repo = self.visible(kind, name, who)
        if repo is None:
            return refusal(404, code="RepoNotFound")
        if request.method == "POST" and (role != "write" or name.split("/")[0] != who):
            return refusal(403, message="you have no write access")
        if verb in (None, "revision"):
            return self.info(name, repo, revision or "main")
        return getattr(self, verb)(name, repo, revision, request)

    def visible(self, kind, name, who):
        repo = self.repos.get((kind, name))
        return None if repo is None or (repo.private and name.split("/")[0] != who) else repo

    def create(self, asked, who, role):
        kind, owner = asked.get("type", "model"), asked.get("organization") or who
        if role != "write" or owner != who:
            return refusal(403, message="you have no rights to create a repo there")
        name = f"{owner}/{asked['name']}"
        url = f"https://huggingface.co/{'' if kind == 'model' else kind + 's/'}{name}"
        if (kind, name) in self.repos:
            return http.Response(409, json={"error": "You already created this repo", "url": url})
        private = asked.get("private") or asked.get("visibility") == "private"
        repo = self.repos[kind, name] = Repo(bool(private), asked.get("sdk"))
        if repo.sdk == "static":
            repo.files.update(TEMPLATE)
        return http.Response(200, json={"url": url, "name": name, "id": name})

    def check_card(self, text):
        """As strict as the real one about what we send: a head that is YAML, and a model-index with values."""
        head = yaml.safe_load(text.split("---")[1])
        for model in head.get("model-index", []):
            for result in model["results"]:
                assert result["task"]["type"] and result["dataset"]["type"] and result["metrics"]
        return http.Response(200, json={"errors": [], "warnings": []})

    def info(self, name, repo, revision):
        if (found := repo.at(revision)) is None:
            return refusal(404, code="RevisionNotFound")
        told = {"id": name, "sha": found[0], "private": repo.private, "tags": [], "sdk": repo.sdk}
        return http.Response(200, json={**told, "siblings": [{"rfilename": path} for path in found[1]]})

    def tree(self, name, repo, revision, request):
        _, files = repo.at(revision)
        entries = [
            {"type": "file", "path": path, "size": len(content), "oid": oid(content)}
            for path, content in files.items()
        ]
        return http.Response(200, json=entries)

    def refs(self, name, repo, revision, request):
        tags = [
            {"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": commit}
            for tag, commit in repo.tags.items()
        ]
        return http.Response(200, json={"branches": [], "converts": [], "tags": tags})

    def commits(self, name, repo, revision, request):
        told = {"title": "a commit", "message": "", "date": "2026-01-01T00:00:00.000Z", "authors": []}
        return http.Response(200, json=[{"id": commit, **told} for commit, _ in reversed(repo.commits)])

    def preupload(self, name, repo, revision, request):
        asked = [file["path"] for file in json.loads(request.content)["files"]]
        answers = [
            {
                "path": path,
                "uploadMode": "regular",
                "shouldIgnore": False,
                "oid": oid(repo.files[path]) if path in repo.files else None,
            }
            for path in asked
        ]
        return http.Response(200, json={"files": answers})

    def commit(self, name, repo, revision, request):
        files = dict(repo.files)
        for line in request.read().splitlines():
            step = json.loads(line)
            value = step["value"]
            if (
                step["key"] == "header"
                and value.get("parentCommit", repo.commits[-1][0]) != repo.commits[-1][0]
            ):
                return refusal(412, message="A commit has happened since")
            if step["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif step["key"] == "deletedFile":
                del files[value["path"]]
        commit = repo.commit(files)
        url = f"https://huggingface.co/{name}/commit/{commit}"
        return http.Response(
            200, json={"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""}
        )

    def tag(self, name, repo, revision, request):
        tag = json.loads(request.content)["tag"]
        if tag in repo.tags:
            return http.Response(409, json={"error": "Tag reference exists already"})
        repo.tags[tag] = repo.at(revision)[0]
        return http.Response(200, json={})

    def resolve(self, kind, name, revision, path, who, method):
        repo = self.visible(kind, name, who)
        if repo is None:
            return refusal(404, code="RepoNotFound")
        if (found := repo.at(revision)) is None:
            return refusal(404, code="RevisionNotFound")
        commit, files = found
        if path not in files:
            return refusal(404, code="EntryNotFound")
        content = files[path]
        headers = {"ETag": f'"{oid(content)}"', "X-Repo-Commit": commit, "Content-Length": str(len(content))}
        return http.Response(200, headers=headers, content=b"" if method == "HEAD" else content)


def refusal(status, *, code="", message=""):
    headers = {name: value for name, value in (("X-Error-Code", code), ("X-Error-Message", message)) if value}
    return http.Response(status, headers=headers, json={"error": message or code or "refused"})


@contextmanager
def serving(monkeypatch, folder):
    """Within, huggingface_hub talks to a FakeHub, with the token of `tester` and an empty cache."""
    server = FakeHub()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setenv("HF_TOKEN", "good")
    for name in ("HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    set_client_factory(lambda: http.Client(transport=http.MockTransport(server), follow_redirects=True))
    try:
        yield server
    finally:
        set_client_factory(_http.default_client_factory)
