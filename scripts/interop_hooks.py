"""Gives schemathesis what a client of the server has: ids that exist, folders, sessions that may end; and reports which operations succeeded.

INTEROP_API is the API's address, INTEROP_TOKEN the access token of the account that asks, INTEROP_SPARE the name of an account of the same
roles whose sessions may end, INTEROP_PASSWORD its password, INTEROP_FOLDERS a folder for new libraries, INTEROP_REPORT the file of the report.
"""

import atexit
import json
import os
import random
import urllib.error
import urllib.parse
import urllib.request
from itertools import count

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

chance = random.Random(4)
numbers = count()


def ask(method, path, body=None, token=os.environ["INTEROP_TOKEN"]):
    """The JSON of an answer, or {} where there is none."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["INTEROP_API"] + "/v1" + path, data, method=method)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError:
        return {}


def ids(path):
    return [item["id"] for item in ask("GET", path).get("items", [])]


def spare_session():
    return ask("POST", "/auth/login", {"login": os.environ["INTEROP_SPARE"], "password": os.environ["INTEROP_PASSWORD"]}, token="")


def new_folder():
    path = os.path.join(os.environ["INTEROP_FOLDERS"], f"{os.getpid()}-{next(numbers)}")
    os.makedirs(path)
    return path


def spare_library():
    return ask("POST", "/admin/libraries", {"name": "Spare", "paths": [new_folder()]})


def streams():
    """What the addresses of the films' media are made of."""
    found = []
    hls = {"containers": [], "video": [{"codec": "h264", "codecString": "avc1.640028"}], "audio": ["aac"], "hls": True}
    for film in films:
        for part in ask("POST", f"/movies/{film}/playback", {"capabilities": hls}).get("selected", {}).get("parts", []):
            place = part.get("url", "").partition("/stream/")[2].split("/")
            if len(place) > 2:
                texts = [s["url"].rpartition("/")[2].partition(".")[0] for s in part.get("subtitles", []) if s.get("url")]
                found.append({"fileId": place[0], "revision": place[1], "texts": texts, "sounds": [a["index"] for a in part.get("audio", [])]})
    return found


films, libraries, users, files, jobs = ids("/movies?limit=100"), ids("/libraries"), ids("/admin/users"), [], []
for film in films:
    files += ids(f"/movies/{film}/files")
jobs = ids("/admin/jobs?limit=100")
media = streams()
pictured = [film for film in films if ask("GET", f"/movies/{film}").get("poster")]

# Where an id in a path comes from, by how the path begins; the longest counts.
KNOWN = {
    "/api/v1/movies/": films, "/api/v1/libraries/": libraries, "/api/v1/admin/libraries/": libraries, "/api/v1/admin/files/": files,
    "/api/v1/admin/jobs/": jobs,
}


def existing(label, path):
    """Parameters of the path that name something, or None."""
    if path.startswith("/api/v1/stream/") and media:
        one = chance.choice(media)
        sound = "/audio/" in path
        track = chance.choice(one["sounds"] or [1]) if sound else 0
        return {"fileId": one["fileId"], "revision": one["revision"], "track": track, "method": "aac", "n": chance.randrange(3),
                "id": chance.choice(one["texts"] or ["0"])}
    if path.startswith("/api/v1/images/") and pictured:
        return {"kind": "poster", "id": chance.choice(pictured)}
    if path.startswith("/api/v1/sessions/"):
        return {"id": spare_session().get("session", {}).get("id")}
    if label in ("PATCH /api/v1/admin/libraries/{id}", "DELETE /api/v1/admin/libraries/{id}", "DELETE /api/v1/admin/libraries/{id}/paths/{pathId}"):
        spare = spare_library()
        return {"id": spare.get("id"), "pathId": (spare.get("paths") or [{}])[0].get("id")}
    known = [KNOWN[start] for start in KNOWN if path.startswith(start) and KNOWN[start]]
    return {"id": chance.choice(known[-1]), "userId": chance.choice(users or [None])} if known else None


def body_of(label, body):
    """A body that can succeed, or the one that was made."""
    match label:
        case "POST /api/v1/admin/libraries":
            return {**body, "paths": [new_folder()]}
        case "POST /api/v1/admin/libraries/{id}/paths":
            return {"path": new_folder()}
        case "POST /api/v1/admin/libraries/{id}/access" if users:
            return {"userId": chance.choice(users)}
        case "POST /api/v1/admin/libraries/{id}/missing/confirm":
            return {}
        case "POST /api/v1/auth/login":
            return {"login": os.environ["INTEROP_SPARE"], "password": os.environ["INTEROP_PASSWORD"], "cookie": bool(body.get("cookie"))}
        case "POST /api/v1/auth/refresh":
            return {"refreshToken": spare_session().get("refreshToken", "none")}
        case "POST /api/v1/movies/{id}/progress":
            return {"position": chance.randrange(20), "duration": 16}
    return body


# Whoever asks for these loses a session: a spare one.
ENDING = ("POST /api/v1/auth/logout", "DELETE /api/v1/sessions", "DELETE /api/v1/sessions/{id}")


@schemathesis.auth(refresh_interval=None)
class Account:
    def get(self, case, context):
        return spare_session().get("accessToken", "") if case.operation.label in ENDING else os.environ["INTEROP_TOKEN"]

    def set(self, case, token, context):
        case.headers["Authorization"] = "Bearer " + token


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what is right although the description of an operation cannot say it: addresses and headers of more than 32 KiB never reach one
    and are answered 431 by the layer of HTTP, and an empty value in the query stands for a parameter that is left out."""
    query = case.query or {}
    return len(urllib.parse.urlencode(query, doseq=True)) < 30_000 and "" not in query.values()


@schemathesis.hook
def before_call(context, case, kwargs):
    def valid(location):
        component = case.meta.components.get(location) if case.meta else None
        return component is None or component.mode == GenerationMode.POSITIVE

    label = case.operation.label
    if chance.random() < 0.3:
        return
    if case.path_parameters and valid(ParameterLocation.PATH):
        for name, value in (existing(label, case.operation.path) or {}).items():
            if name in case.path_parameters and value is not None:
                case.path_parameters[name] = value
        if case.query and valid(ParameterLocation.QUERY):
            case.query.pop("token", None)  # a made-up one opens nothing, whoever asks
    if isinstance(case.body, dict) and valid(ParameterLocation.BODY):
        case.body = body_of(label, case.body)


asked, succeeded = set(), set()


@schemathesis.hook
def after_call(context, case, response):
    asked.add(case.operation.label)
    if 200 <= response.status_code < 300:
        succeeded.add(case.operation.label)


@atexit.register
def report():
    if not asked:
        return
    with open(os.environ["INTEROP_REPORT"], "w") as file:
        print(f"   {len(succeeded)} of {len(asked)} operations answered with success; the others: {', '.join(sorted(asked - succeeded)) or 'none'}", file=file)
