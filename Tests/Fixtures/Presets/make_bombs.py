"""Zip files that only look small: one that grows a thousandfold, one compressed honestly.

    python make_bombs.py OUT_DIR
"""
import hashlib, os, sys, zipfile

out = sys.argv[1]
with zipfile.ZipFile(os.path.join(out, "bomb.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
    z.writestr(zipfile.ZipInfo("probes.safetensors", (1980, 1, 1, 0, 0, 0)), bytes(8 << 20), zipfile.ZIP_DEFLATED)
text = ("Hello, bundle. " * 20).encode()
with zipfile.ZipFile(os.path.join(out, "deflated.zip"), "w") as z:
    for name, data in [("README.md", text), ("SHA256SUMS", (hashlib.sha256(text).hexdigest() + "  README.md\n").encode())]:
        z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
