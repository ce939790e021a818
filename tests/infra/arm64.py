"""Runs functions packaged for arm64 under qemu, called by our engine: arm64.py PACKAGES STAGEWRIGHT

`action-gate` does a task to its end; any other names the setting that it lacks. Without qemu it says that it is skipped.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile

LIBRARIES = pathlib.Path("/usr/aarch64-linux-gnu")  # Debian's libc6-arm64-cross
ALWAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def call(url, name, event):
    request = urllib.request.Request(f"{url}/2015-03-31/functions/{name}/invocations", data=json.dumps(event).encode(), headers={
        "Authorization": "AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def good(function, answer, command):
    """Whether a function does its work, or says in words of ours what it lacks: in its answer, or at its start."""
    if function == "action-gate":
        return answer.get("status") == "SUCCEEDED"
    if answer.get("errorType") != "Runtime.ExitError":
        return answer.get("errorType") == "Configuration"
    started = subprocess.run(command, capture_output=True, text=True, timeout=60, env={
        "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9"})
    return f"{function} cannot start: STAGEWRIGHT_" in started.stdout + started.stderr


def unpacked(packages, folder, emulator):
    """Configuration of the engine for these functions."""
    for package in sorted(packages.glob("*.zip")):
        program = folder / package.stem
        program.write_bytes(zipfile.ZipFile(package).read("bootstrap"))
        program.chmod(0o755)
        if program.read_bytes()[18:20] != b"\xb7\x00":  # e_machine of ELF: 183, AArch64
            sys.exit(f"{package} is not for arm64")
        yield f'[function.{package.stem}]\ncommand = ["{emulator}", "-L", "{LIBRARIES}", "{program}"]\ntimeout_seconds = 60\n'


def main(packages, stagewright):
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if not emulator or not LIBRARIES.is_dir():
        print("SKIPPED: no qemu here that runs arm64 (Debian: qemu-user-static libc6-arm64-cross), so the arm64 packages are not run", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = folder / "stagewright.toml"
        config.write_text("".join(unpacked(pathlib.Path(packages), folder, emulator)))
        functions = [line[len("[function."):-1] for line in config.read_text().splitlines() if line.startswith("[function.")]
        serve = subprocess.Popen([stagewright, "serve", "--listen", "127.0.0.1:0", "--state", folder / "state", "--config", config],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = serve.stdout.readline().removeprefix("listening on ").strip()
            for function in functions:
                event = {"params": {"days": ALWAYS}} if function == "action-gate" else {"params": {}}
                answer = call(url, function, event)
                if not good(function, answer, [emulator, "-L", str(LIBRARIES), str(folder / function)]):
                    sys.exit(f"{function} for arm64 answers {json.dumps(answer)}")
                print(f"  {function} for arm64 under qemu: {json.dumps(answer)[:120]}")
        finally:
            serve.terminate()
            serve.wait()
    if not functions:
        sys.exit(f"no packages in {packages}")


main(*sys.argv[1:])
