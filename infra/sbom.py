"""What the packaged functions are made of, as CycloneDX 1.5: sbom.py FOLDER < `cargo metadata --format-version 1 --locked`

Writes FOLDER/sbom.cdx.json and FOLDER/LICENSES.txt. No time and no random number is in them: the same sources give the same
bytes. Ends with 1 when a licence is none of those below.
"""

import json
import pathlib
import re
import sys

ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}


def reached(metadata):
    """Packages that the functions link, by id: normal dependencies, not those of tests or build scripts."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    functions = [one for one in metadata["workspace_members"] if "/functions/" in packages[one]["manifest_path"].replace("\\", "/")]
    found, ahead = set(), list(functions)
    while ahead:
        one = ahead.pop()
        if one in found:
            continue
        found.add(one)
        ahead += [to["pkg"] for to in nodes[one]["deps"] if any(kind["kind"] is None for kind in to["dep_kinds"])]
    return functions, {one: packages[one] for one in found}, nodes


def allowed(expression):
    """Whether one of an expression's alternatives is allowed; `AND` binds more than `OR`."""
    alternatives = re.split(r"\s+OR\s+|/", expression.replace("(", "").replace(")", ""))
    return any(all(part.strip() in ALLOWED for part in one.split(" AND ")) for one in alternatives)


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def main(folder):
    metadata = json.load(sys.stdin)
    functions, packages, nodes = reached(metadata)
    ours = set(metadata["workspace_members"])
    components, refused, licences = [], [], {}
    for package in sorted(packages.values(), key=lambda one: (one["name"], one["version"])):
        licence = package["license"] or ""
        if package["id"] not in ours:
            licences.setdefault(licence, []).append(f"{package['name']} {package['version']}")
            if not allowed(licence):
                refused.append(f"{package['name']} {package['version']}: {licence or 'no licence'}")
        components.append({
            "type": "application" if package["id"] in functions else "library", "bom-ref": reference(package), "name": package["name"],
            "version": package["version"], "purl": reference(package), **({"licenses": [{"expression": licence}]} if licence else {})})
    depends = [{"ref": reference(package), "dependsOn": sorted({reference(packages[to["pkg"]]) for to in nodes[one]["deps"] if to["pkg"] in packages})}
               for one, package in packages.items()]
    version = packages[functions[0]]["version"]
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
           "metadata": {"component": {"type": "application", "name": "stagewright", "version": version, "bom-ref": f"stagewright@{version}"}},
           "components": components, "dependencies": sorted(depends, key=lambda one: one["ref"])}
    out = pathlib.Path(folder)
    (out / "sbom.cdx.json").write_text(json.dumps(bom, indent=1) + "\n")
    (out / "LICENSES.txt").write_text("".join(f"{licence}\n" + "".join(f"  {one}\n" for one in names) for licence, names in sorted(licences.items())))
    print(f"{len(components)} components, {len(licences)} licence texts")
    if refused:
        sys.exit("licences to look at:\n  " + "\n  ".join(refused))


main(*sys.argv[1:])
