// Jobs and what has been computed for them, in one SQLite file that several workers share.
//
// Tables: job (what is asked, who works on it until when, how far it is, what came out) and loss (one
// number per key and track: base losses are shared by all jobs of a model, losses after unlearning
// belong to one). A worker holds a lease that it renews; a lease that ran out, or whose holder is dead on
// the same machine (WorkerIdentity), may be taken by another, which goes on from the losses that are
// there. Write-ahead log, synchronous: a kill at any moment leaves a whole database. A job whose workers
// ended without a word several times at the same place is given up: it would take down every other one.

package import Foundation
internal import GRDB
import Reporting

/// One job.
package struct Job: Sendable, Equatable, Codable {
  package enum State: String, Sendable, Codable { case waiting, running, done, failed, cancelled }

  package let id: Int64
  package let state: State
  /// The request, JSON.
  package let request: Data
  /// 0 … 1.
  package let progress: Double
  /// What it is doing, or why it failed.
  package let message: String
  /// Seconds left, when known.
  package let secondsLeft: Double?
  /// The folder of the result, when done.
  package let result: String?
  package let created: Date
  /// The worker that holds the lease.
  package let owner: String?
  /// How often a worker has taken it since it last got further; the one that has it is counted.
  package let attempts: Int

  /// What is asked; nil when it cannot be understood.
  package var asked: AttributionRequest? {
    try? JSONDecoder().decode(AttributionRequest.self, from: request)
  }
}

/// The store. Safe to use from several threads and processes.
package final class JobStore: Sendable {
  /// Version of the tables.
  package static let version = 2
  /// Ends without a word, none of them further than the one before, after which a job is given up.
  package static let attempts = 3
  /// Seconds after which a silent worker's job may be taken.
  package static let lease = 60.0

  package let file: URL
  private let queue: DatabaseQueue

  /// Opens or creates the store.
  /// - Throws: `AttributionError.newerStore`, `.store`.
  package init(file: URL) throws {
    self.file = file
    try? FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    var configuration = Configuration()
    configuration.busyMode = .timeout(30)
    configuration.prepareDatabase { db in
      try db.execute(sql: "PRAGMA journal_mode = WAL")
      try db.execute(sql: "PRAGMA synchronous = FULL")
    }
    let queue: DatabaseQueue
    do {
      queue = try DatabaseQueue(path: file.path, configuration: configuration)
    } catch { throw AttributionError.store(file: file.path, reason: "\(error)") }
    self.queue = queue
    let found = try access { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
    guard found <= Self.version else {
      throw AttributionError.newerStore(file: file.path, version: found)
    }
    if found < Self.version { try write { try Self.migrate($0) } }
  }

  /// Brings the tables from any older version to this one, in one transaction.
  private static func migrate(_ db: Database) throws {
    // Another process may have done it in the meantime.
    switch try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0 {
    case 0: try create(db)
    case 1:
      try db.execute(
        sql: """
          ALTER TABLE job ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
          ALTER TABLE job ADD COLUMN taken_progress REAL NOT NULL DEFAULT 0;
          PRAGMA user_version = 2;
          """)
    default: break
    }
  }

  private static func create(_ db: Database) throws {
    try db.execute(
      sql: """
        CREATE TABLE IF NOT EXISTS job (
          id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, request BLOB NOT NULL,
          progress REAL NOT NULL, message TEXT NOT NULL, seconds_left REAL, result TEXT,
          created REAL NOT NULL, owner TEXT, lease_until REAL,
          attempts INTEGER NOT NULL DEFAULT 0, taken_progress REAL NOT NULL DEFAULT 0);
        CREATE TABLE IF NOT EXISTS loss (
          key TEXT NOT NULL, track TEXT NOT NULL, value REAL NOT NULL,
          PRIMARY KEY (key, track)) WITHOUT ROWID;
        PRAGMA user_version = \(version);
        """)
  }

  // MARK: Losses

  /// All losses under `key`.
  package func losses(_ key: String) throws -> [String: Double] {
    try access { db in
      var found: [String: Double] = [:]
      let rows = try Row.fetchAll(
        db, sql: "SELECT track, value FROM loss WHERE key = ?", arguments: [key])
      for row in rows { found[row[0]] = row[1] }
      return found
    }
  }

  /// Adds losses under `key`, all or none.
  package func add(_ losses: [(track: String, value: Double)], key: String) throws {
    try write { db in
      for loss in losses {
        try db.execute(
          sql: "INSERT OR REPLACE INTO loss (key, track, value) VALUES (?, ?, ?)",
          arguments: [key, loss.track, loss.value])
      }
    }
  }

  // MARK: Jobs

  /// Adds a job; returns its number.
  package func add(request: Data) throws -> Int64 {
    try write { db in
      try db.execute(
        sql: """
          INSERT INTO job (state, request, progress, message, created)
          VALUES ('waiting', ?, 0, 'waiting', ?)
          """, arguments: [request, Date().timeIntervalSince1970])
      return db.lastInsertedRowID
    }
  }

  /// Takes the oldest job that waits, whose worker has gone silent, or whose worker is dead on this
  /// machine; nil when there is none.
  package func take(owner: String, now: Date = Date()) throws -> Job? {
    try write { db in
      let time = now.timeIntervalSince1970
      let rows = try Row.fetchAll(
        db, sql: "SELECT * FROM job WHERE state IN ('waiting', 'running') ORDER BY id")
      let free = rows.first { $0["state"] == "waiting" || Self.isLeft($0, at: time) }
      guard let free else { return nil }
      let id: Int64 = free["id"]
      let (progress, before): (Double, Double) = (free["progress"], free["taken_progress"])
      let attempts: Int = progress > before ? 1 : free["attempts"] + 1
      try db.execute(
        sql: """
          UPDATE job SET state = 'running', owner = ?, lease_until = ?, attempts = ?,
          taken_progress = ? WHERE id = ?
          """,
        arguments: [owner, time + Self.lease, attempts, max(progress, before), id])
      return try Self.job(db, id)
    }
  }

  /// Marks the oldest job as failed whose workers have ended without a word `attempts` times and got no
  /// further meanwhile; nil when there is none. Workers ask before they take one.
  package func giveUp(after attempts: Int = JobStore.attempts, now: Date = Date()) throws -> Job? {
    try write { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT * FROM job WHERE state = 'running' AND attempts >= ?
          AND progress <= taken_progress ORDER BY id
          """, arguments: [attempts])
      let lost = rows.first { Self.isLeft($0, at: now.timeIntervalSince1970) }
      guard let lost else { return nil }
      let (id, progress, message): (Int64, Double, String) = (
        lost["id"], lost["progress"], lost["message"]
      )
      let count: Int = lost["attempts"]
      let reason =
        "given up: its worker ended without a word \(count) times at \(Int(progress * 100)) % (\(message)); "
        + "look for the reason in the journal, too little memory for instance, and queue it again: "
        + "what was computed is kept"
      try db.execute(
        sql: """
          UPDATE job SET state = 'failed', message = ?, seconds_left = NULL, owner = NULL,
          lease_until = NULL WHERE id = ?
          """, arguments: [reason, id])
      return try Self.job(db, id)
    }
  }

  /// Whether nobody works on a running job any more.
  private static func isLeft(_ row: Row, at time: Double) -> Bool {
    guard let until: Double = row["lease_until"], let holder: String = row["owner"] else {
      return true
    }
    return until < time || WorkerIdentity.isDead(holder)
  }

  /// Says that the job is alive and how far it is.
  /// - Throws: `AttributionError.cancelled` when it was cancelled or another worker took it.
  package func renew(
    _ id: Int64, owner: String, progress: Double, message: String, secondsLeft: Double?,
    now: Date = Date()
  ) throws {
    let isOurs = try write { db in
      try db.execute(
        sql: """
          UPDATE job SET lease_until = ?, progress = ?, message = ?, seconds_left = ?
          WHERE id = ? AND state = 'running' AND owner = ?
          """,
        arguments: [
          now.timeIntervalSince1970 + Self.lease, progress, message, secondsLeft, id, owner,
        ])
      return db.changesCount == 1
    }
    guard isOurs else { throw AttributionError.cancelled }
  }

  /// Ends a running job.
  package func finish(
    _ id: Int64, owner: String, state: Job.State, message: String, result: String?
  )
    throws
  {
    try write { db in
      try db.execute(
        sql: """
          UPDATE job SET state = ?, message = ?, result = ?, progress = ?, seconds_left = NULL,
          owner = NULL, lease_until = NULL WHERE id = ? AND owner = ? AND state = 'running'
          """,
        arguments: [state.rawValue, message, result, state == .done ? 1.0 : 0.0, id, owner])
    }
  }

  /// Lets another worker, or this one later, go on with a running job.
  package func giveBack(_ id: Int64, owner: String) throws {
    try write { db in
      try db.execute(
        sql: """
          UPDATE job SET state = 'waiting', owner = NULL, lease_until = NULL,
          attempts = max(attempts - 1, 0) WHERE id = ? AND owner = ? AND state = 'running'
          """, arguments: [id, owner])
    }
  }

  /// Cancels a job that is not over.
  package func cancel(_ id: Int64) throws {
    let changed = try write { db in
      try db.execute(
        sql: """
          UPDATE job SET state = 'cancelled', message = 'cancelled', owner = NULL
          WHERE id = ? AND state IN ('waiting', 'running')
          """, arguments: [id])
      return db.changesCount
    }
    if changed == 0, try job(id) == nil { throw AttributionError.noJob(id: id) }
  }

  /// One job.
  package func job(_ id: Int64) throws -> Job? { try access { try Self.job($0, id) } }

  /// All jobs, oldest first.
  package func jobs() throws -> [Job] {
    try access { db in
      try Int64.fetchAll(db, sql: "SELECT id FROM job ORDER BY id").compactMap {
        try Self.job(db, $0)
      }
    }
  }

  /// SQLite's own check; empty when the file is whole.
  package func faults() throws -> [String] {
    try access { db in
      try String.fetchAll(db, sql: "PRAGMA integrity_check").filter { $0 != "ok" }
    }
  }

  private static func job(_ db: Database, _ id: Int64) throws -> Job? {
    guard let row = try Row.fetchOne(db, sql: "SELECT * FROM job WHERE id = ?", arguments: [id])
    else { return nil }
    return Job(
      id: row["id"], state: Job.State(rawValue: row["state"]) ?? .failed, request: row["request"],
      progress: row["progress"], message: row["message"], secondsLeft: row["seconds_left"],
      result: row["result"], created: Date(timeIntervalSince1970: row["created"]),
      owner: row["owner"], attempts: row["attempts"])
  }

  private func access<Value>(_ body: (Database) throws -> Value) throws -> Value {
    do { return try queue.read(body) } catch let error as DatabaseError {
      throw AttributionError.store(file: file.path, reason: "\(error)")
    }
  }

  private func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
    do { return try queue.write(body) } catch let error as DatabaseError {
      throw AttributionError.store(file: file.path, reason: "\(error)")
    }
  }
}
