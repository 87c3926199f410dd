# SPDX-License-Identifier: Apache-2.0
"""The rules of the tree: who may include what, and the shape of files. `findings(root)` answers a list of texts."""
import os
import re

TOP_LEVEL = {"meson.build", "meson_options.txt", "broker", "attest", "store", "policy", "tests", "examples",
             "README.md", "LICENSE"}
LIBRARIES = ("attest", "policy", "store", "broker")
FILE_LINES_MAX = 600
README_LINES_MAX = 120
FOLDER_README_LINES_MAX = 60

LIBC = {"assert", "ctype", "errno", "inttypes", "limits", "locale", "math", "stdalign", "stdarg", "stdatomic", "stdbool",
        "stddef", "stdint", "stdio", "stdlib", "string", "strings"}
# What the libraries that are pure must not reach for, beside the headers above.
IMPURE = re.compile(r"(?<![\w.>])(time|clock_gettime|gettimeofday|fopen|open|openat|printf|fprintf|puts|perror|exit|abort|"
                    r"getenv|getrandom|rand|pthread_create|syslog)\s*\(")
def pure(path):
    return path.startswith(("policy/", "attest/")) and not path.startswith("attest/attester/")

# What broker/ may see of the other libraries.
PUBLIC = {"attest/attest.h", "attest/bytes.h", "attest/attester.h", "attest/claims.h", "attest/endorsement.h",
          "attest/eventlog.h", "attest/events.h", "attest/host.h", "attest/image.h", "attest/ima.h", "attest/inspect.h",
          "attest/signaturelist.h", "attest/variable.h", "policy/builder.h", "policy/format.h",
          "policy/policy.h", "policy/reading.h", "policy/schema.h", "store/store.h", "store/secret.h", "store/shares.h", "store/upkeep.h"}
# Rooms of broker/ that another room may include: the frames, and what the supervisor gives every role.
SHARED_ROOMS = {"wire", "supervisor"}

THIRD_PARTY = {
    "openssl": re.compile(r"openssl/"),
    "tss2": re.compile(r"tss2/"),
    "lmdb": re.compile(r"lmdb\.h$"),
    "sodium": re.compile(r"sodium(\.h$|/)"),
    "microhttpd": re.compile(r"microhttpd\.h$"),
    "curl": re.compile(r"curl/"),
    "jansson": re.compile(r"jansson\.h$"),
}
# (folder, library, how many files may use it, or None for any). What is not listed is refused.
ALLOWED = [
    ("attest/attester/", "tss2", None),
    ("attest/", "openssl", None),
    ("store/", "lmdb", None),
    ("store/", "sodium", None),
    ("broker/", "sodium", None),
    ("broker/gateway/", "jansson", None),
    ("broker/command/", "jansson", None),
    ("broker/gateway/", "microhttpd", 1),
    ("broker/command/", "curl", 1),
    ("broker/door/", "openssl", 1),
    ("broker/command/certificate.c", "openssl", 1),  # `postern init` makes the broker's first certificate
]

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', re.MULTILINE)
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)
MACHINE_PATH = re.compile(r"(^|[^A-Za-z0-9.])/(" + "wo" + "rk|fa" + "rm)/")
SOURCES = (".c", ".h", ".py", ".sh")
TEXTS = SOURCES + (".md", ".build", ".txt", ".cedar", ".service", ".socket", ".conf")


def files_of(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not re.match(r"\.git$|build|__pycache__|\.pytest_cache", name))
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def resolve(root, path, include):
    """The file in the tree that a quoted include means, or None."""
    top = path.split("/")[0]
    for base in (os.path.dirname(path), "", top):
        candidate = os.path.normpath(os.path.join(base, include))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def system_include(path, header):
    library = next((name for name, pattern in THIRD_PARTY.items() if pattern.match(header)), None)
    if library is None:
        stem = header[:-2] if header.endswith(".h") else header
        if pure(path) and stem not in LIBC and not (path.startswith("attest/") and stem == "time"):
            return f"{path}: <{header}> in a pure library"
        return None
    if any(path.startswith(folder) and name == library for folder, name, _ in ALLOWED):
        return None
    return f"{path}: <{header}> is not allowed here"


def quoted_include(root, path, header):
    target = resolve(root, path, header)
    if target is None:
        return f'{path}: "{header}" is not in the tree'
    top, target_top = path.split("/")[0], target.split("/")[0]
    if top == "tests":
        return None
    if target_top != top:
        if top != "broker":
            return f"{path}: {top}/ includes nothing of the tree but {target}"
        if target not in PUBLIC:
            return f"{path}: {target} is not a public header"
    elif top == "broker":
        room, target_room = path.split("/")[1], target.split("/")[1]
        if target_room != room and target_room not in SHARED_ROOMS:
            return f"{path}: {target} is another process's"
        if room == "wire" and target_room != "wire":
            return f"{path}: wire/ includes no room"
    if target in ("attest/attester.h", "attest/host.h") and not path.startswith(("broker/command/", "attest/attester", "attest/host.h")):
        return f"{path}: only the command attests, {target}"
    return None


def includes(root, paths):
    users = {}
    for path in paths:
        if not path.endswith((".c", ".h")) or not path.startswith(tuple(name + "/" for name in LIBRARIES)):
            continue
        text = read(root, path)
        for system, quoted in INCLUDE.findall(text):
            finding = system_include(path, system) if system else quoted_include(root, path, quoted)
            if finding:
                yield finding
            for name, pattern in THIRD_PARTY.items():
                if system and pattern.match(system):
                    users.setdefault(name, set()).add(path)
        if pure(path) and path.endswith(".c"):
            for call in IMPURE.findall(COMMENT.sub(" ", text)):
                yield f"{path}: {call}() in a pure library"
    for folder, name, count in ALLOWED:
        found = sorted(path for path in users.get(name, ()) if path.startswith(folder))
        if count is not None and len(found) > count:
            yield f"{folder}: {name} in {len(found)} files, {count} allowed: {', '.join(found)}"


def shape(root, paths):
    for name in sorted(os.listdir(root)):
        if name not in TOP_LEVEL and not name.startswith(".") and not name.startswith("build"):
            yield f"{name}: not a name of the top level"
    for path in paths:
        if not path.endswith(TEXTS) and os.path.basename(path) not in ("run",):
            continue
        text = read(root, path)
        lines = text.count("\n")
        if path.endswith(SOURCES) and "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.split("\n")[:3]):
            yield f"{path}: no SPDX line"
        if path.endswith(SOURCES + (".md", ".build")) and lines > FILE_LINES_MAX:
            yield f"{path}: {lines} lines, {FILE_LINES_MAX} allowed"
        if os.path.basename(path) == "README.md":
            most = README_LINES_MAX if path == "README.md" else FOLDER_README_LINES_MAX
            if lines > most:
                yield f"{path}: {lines} lines, {most} allowed"
        if MACHINE_PATH.search(text):
            yield f"{path}: a path of one machine"


def findings(root):
    paths = list(files_of(root))
    return list(includes(root, paths)) + list(shape(root, paths))
