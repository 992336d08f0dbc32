"""Writes jobs_version_1.sqlite: a job store as programs before the count of attempts made it.

    python Tests/Fixtures/attribution/make_jobs_version_1.py Tests/Fixtures/attribution/jobs_version_1.sqlite
"""
import sqlite3
import sys

base = sqlite3.connect(sys.argv[1])
base.executescript(
    """
    CREATE TABLE job (
      id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, request BLOB NOT NULL,
      progress REAL NOT NULL, message TEXT NOT NULL, seconds_left REAL, result TEXT,
      created REAL NOT NULL, owner TEXT, lease_until REAL);
    CREATE TABLE loss (
      key TEXT NOT NULL, track TEXT NOT NULL, value REAL NOT NULL,
      PRIMARY KEY (key, track)) WITHOUT ROWID;
    PRAGMA user_version = 1;
    """
)
rows = [
    ("done", 1.0, "done", None, "/out", None, None),
    ("waiting", 0.0, "waiting", None, None, None, None),
    ("running", 0.25, "losses before", 12.0, None, "worker", 1.7e9),
    ("failed", 0.0, "no such file", None, None, None, None),
]
for state, progress, message, left, result, owner, until in rows:
    base.execute(
        "INSERT INTO job (state, request, progress, message, seconds_left, result, created, owner, lease_until)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (state, b"{}", progress, message, left, result, 1.7e9, owner, until),
    )
base.executemany("INSERT INTO loss VALUES (?, ?, ?)", [("base", "a", 0.5), ("base", "b", -1.25)])
base.commit()
base.close()
