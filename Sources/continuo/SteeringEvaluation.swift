// The suites of the steering evaluation: which cells they have and what their tables say.
//
// Source: paper 4 and 5 and appendix 6; which figures of the paper stand beside ours is METHOD 4 [restored].

import Foundation
import Models
import Reporting

/// Plans and runs the suites.
struct SteeringEvaluation {
  let runner: EvaluationRunner
  let traits: [String]
  let suites: [EvaluationSuite]
  let clips: Int
  let validationClips: Int
  let seconds: Double
  let seed: UInt64
  let doses: [Dose]
  let chosen: Dose?
  /// Clips and seconds of the cells that look for drift.
  var driftClips = 4
  var driftSeconds = 600.0

  /// Heads pushed by the original intervention: a third of the heads, at most the published 48.
  private var hardHeads: Int {
    let config = runner.model.config.decoder
    return min(48, max(config.layers * config.heads / 3, 1))
  }

  /// Runs everything; `save` is called behind every table.
  func run(model: String, save: (SteeringReport) throws -> Void) throws -> SteeringReport {
    var report = SteeringReport(model: model, clips: clips, seconds: seconds)
    var dose = chosen
    if suites.contains(.dose) || dose == nil {
      let (table, best) = try doseTable()
      report.tables.append(table)
      dose = chosen ?? best
      report.dose = dose
      try save(report)
    }
    let tuned = dose ?? Dose(alpha: 5, period: 5)
    report.dose = tuned
    for suite in suites where suite != .dose {
      switch suite {
      case .dose: break
      case .continuation: try continuation(tuned, &report)
      case .removal: report.tables.append(try removal(tuned))
      case .several: report.tables.append(try several(tuned))
      case .ablation: report.tables.append(try ablation(tuned))
      case .pairs: report.tables.append(try pairs(tuned))
      case .text: report.tables.append(try fromText(tuned))
      case .recorded: report.tables.append(try recorded(tuned))
      case .drift: report.tables.append(try drift(tuned))
      }
      try save(report)
    }
    return report
  }

  // MARK: cells

  private func plan(
    _ suite: String, _ method: String, _ targets: [String],
    _ change: (inout CellPlan) -> Void = { _ in }
  ) -> CellPlan {
    var plan = CellPlan(
      suite: suite, method: method, targets: targets, clips: clips, seconds: seconds)
    plan.hardHeads = hardHeads
    plan.seed = seed
    change(&plan)
    return plan
  }

  /// The rows of the continuation table: name and how a cell differs from an unsteered one.
  private func methods(_ tuned: Dose) -> [(name: String, change: (inout CellPlan) -> Void)] {
    func smitin(_ dose: Dose) -> (inout CellPlan) -> Void {
      { plan in
        plan.steering = .smitin
        plan.alpha = dose.alpha
        plan.period = dose.period
      }
    }
    func hard(_ method: SteeringMethod, _ alpha: Float) -> (inout CellPlan) -> Void {
      { plan in
        plan.steering = method
        plan.alpha = alpha
        plan.period = 1
      }
    }
    let paper = Dose(alpha: 5, period: 5)
    let strong = Dose(alpha: 10, period: 5)
    let all: [(name: String, change: (inout CellPlan) -> Void)] = [
      ("none", { _ in }),
      ("text “add X”", { $0.text = "add" }),
      ("iti α 15", hard(.iti, 15)),
      ("iti α \(String(format: "%g", tuned.alpha))", hard(.iti, tuned.alpha)),
      ("iti α \(String(format: "%g", 2 * tuned.alpha))", hard(.iti, 2 * tuned.alpha)),
      ("iti α \(String(format: "%g", 4 * tuned.alpha))", hard(.iti, 4 * tuned.alpha)),
      ("iti-decay α 15", hard(.itiDecay, 15)),
      ("smitin \(paper.name)", smitin(paper)),
      ("smitin \(strong.name)", smitin(strong)),
      ("smitin \(tuned.name)", smitin(tuned)),
      ("smitin \(tuned.doubled.name)", smitin(tuned.doubled)),
      (
        "smitin \(tuned.name) + text",
        { plan in
          smitin(tuned)(&plan)
          plan.text = "add"
        }
      ),
    ]
    // The chosen dose may be one of the paper's.
    var seen = Set<String>()
    return all.filter { seen.insert($0.name).inserted }
  }

  /// One row: a cell per trait.
  private func row(
    _ name: String, _ plans: [CellPlan], references: [String: GaussianFit] = [:]
  ) throws -> SteeringReport.Row {
    var row = SteeringReport.Row(name: name)
    for plan in plans {
      let bar = ProgressBar(
        "\(plan.suite) \(plan.method) \(plan.targets.joined(separator: "+"))", total: 1)
      let figures = try runner.figures(plan) { bar.show($0) }
      bar.finish()
      var entry = SteeringReport.Entry(
        trait: plan.targets.joined(separator: "+"), success: figures.success,
        presence: figures.presence, similarity: figures.similarity, gain: figures.gain,
        clips: figures.clips.count)
      if plan.targets.count > 1 {
        entry.together = figures.together
        entry.heardTogether = figures.heardTogether
      }
      entry.gainOverTime = figures.gainOverTime
      if let reference = references[plan.targets[0]] {
        var fit = GaussianFit(dimension: runner.judge.embedding)
        fit.add(figures.embeddings)
        entry.distance = fit.distance(to: reference)
      }
      row.entries.append(entry)
      row.correlation.append(
        contentsOf: zip(figures.clips.flatMap(\.reading), figures.clips.flatMap(\.logit)).map {
          SteeringReport.Pair(trait: plan.targets[0], reading: $0.0, logit: $0.1)
        })
    }
    return row
  }

  /// What judge and probes say of real songs, of the length of the clips, but at most 12 s.
  private func songsRow(with present: Bool) throws -> SteeringReport.Row {
    let name = present ? "songs with X" : "songs without X"
    return try row(
      name,
      traits.map { trait in
        plan("songs", name, [trait]) {
          $0.isOfSongs = true
          $0.start = present ? .with : .without
          $0.seconds = min(seconds, 12)
        }
      })
  }

  private func references() throws -> [String: GaussianFit] {
    var result: [String: GaussianFit] = [:]
    for trait in traits {
      result[trait] = try runner.reference(trait, clips: min(clips, 100), seconds: min(seconds, 12))
    }
    return result
  }

  // MARK: suites

  /// The grid on validation prompts. The dose is the one of least energy that reaches nine tenths of
  /// the best mean presence [ours].
  private func doseTable() throws -> (SteeringReport.Table, Dose) {
    var table = SteeringReport.Table(
      title: "Dose, on validation prompts",
      note:
        "Mean over the traits; chosen is the least energy (α²/s) with nine tenths of the best presence."
    )
    let references = try references()
    var means: [(dose: Dose, presence: Double)] = []
    table.rows.append(
      try row(
        "none",
        traits.map { trait in
          plan("dose", "none", [trait]) {
            $0.clips = validationClips
            $0.isValidation = true
          }
        }, references: references))
    for dose in doses {
      let row = try row(
        "smitin \(dose.name)",
        traits.map { trait in
          plan("dose", "smitin \(dose.name)", [trait]) {
            $0.clips = validationClips
            $0.isValidation = true
            $0.steering = .smitin
            $0.alpha = dose.alpha
            $0.period = dose.period
          }
        }, references: references)
      table.rows.append(row)
      means.append((dose, row.mean(\.presence)))
    }
    let best = means.map(\.presence).max() ?? 0
    let chosen = means.filter { $0.presence >= 0.9 * best }.min { $0.dose.energy < $1.dose.energy }
    return (table, chosen?.dose ?? doses[0])
  }

  private func continuation(_ tuned: Dose, _ report: inout SteeringReport) throws {
    var table = SteeringReport.Table(
      title: "Continuation: adding X to prompts without it",
      note:
        "Paper (MusicGen-large, 1000 clips of 30 s): success none 7.4, text 12.8, original intervention 49.9, "
        + "SMITIN 23.3 %; distance and similarity there are on other embeddings: 0.420 and 0.896 for the "
        + "original intervention, 0.336 and 0.913 for SMITIN.")
    table.note +=
      " Songs: held-out ones in which X sounds all the time, or never, as judge and probes find them."
    let references = try references()
    for (name, change) in methods(tuned) {
      table.rows.append(
        try row(
          name, traits.map { plan("continuation", name, [$0], change) }, references: references))
    }
    let pairs = table.rows.flatMap(\.correlation)
    table.rows += [try songsRow(with: false), try songsRow(with: true)]
    report.tables.append(table)
    for trait in traits {
      let own = pairs.filter { $0.trait == trait && $0.reading.isFinite && $0.logit.isFinite }
      report.correlation[trait] = rankCorrelation(own.map(\.reading), own.map(\.logit))
    }
  }

  private func removal(_ tuned: Dose) throws -> SteeringReport.Table {
    var table = SteeringReport.Table(
      title: "Removal: taking X out of prompts with it",
      note:
        "Success is 1 minus the share of steps in which the probes find X; presence should fall.")
    func push(
      _ method: SteeringMethod, _ dose: Dose,
      _ change: @escaping (inout CellPlan) -> Void = { _ in }
    ) -> (inout CellPlan) -> Void {
      { plan in
        plan.steering = method
        plan.alpha = dose.alpha
        plan.period = dose.period
        change(&plan)
      }
    }
    let heads = runner.model.config.decoder.layers * runner.model.config.decoder.heads
    let rows: [(String, (inout CellPlan) -> Void)] = [
      ("none", { _ in }),
      ("text “no X”", { $0.text = "no" }),
      ("iti α −15", push(.iti, Dose(alpha: 15, period: 5))),
      ("smitin α −5 s 5", push(.smitin, Dose(alpha: 5, period: 5))),
      ("smitin −\(tuned.name)", push(.smitin, tuned)),
      ("smitin −\(tuned.doubled.name)", push(.smitin, tuned.doubled)),
      (
        "smitin −\(tuned.name), mean difference",
        push(.smitin, tuned) { $0.direction = .meanDifference }
      ),
      (
        "smitin −\(tuned.name), all heads alike",
        push(.smitin, tuned) { plan in
          plan.usesHardWeights = true
          plan.hardHeads = heads
        }
      ),
    ]
    for (name, change) in rows {
      table.rows.append(
        try row(
          name,
          traits.map { trait in
            plan("removal", name, [trait]) { plan in
              change(&plan)
              plan.strength = -1
              plan.start = .with
            }
          }))
    }
    table.rows.append(try songsRow(with: false))
    return table
  }

  private func several(_ tuned: Dose) throws -> SteeringReport.Table {
    var table = SteeringReport.Table(
      title: "Several at once: three traits added to prompts with the fourth alone",
      note: "“together” counts clips in which every trait is there in more than half of the time.")
    let groups = traits.indices.map { skipped in
      traits.indices.filter { $0 != skipped }.map { traits[$0] }
    }.filter { !$0.isEmpty }
    for (name, change) in methods(tuned)
    where ["none", "text “add X”", "smitin \(tuned.name)"].contains(name) {
      table.rows.append(try row(name, groups.map { plan("several", name, $0, change) }))
    }
    return table
  }

  private func ablation(_ tuned: Dose) throws -> SteeringReport.Table {
    var table = SteeringReport.Table(
      title: "Ablation: variations of SMITIN at the chosen dose",
      note: "Soft against hard weights, probe against mean-difference direction, both update rules."
    )
    let heads = runner.model.config.decoder.layers * runner.model.config.decoder.heads
    var rows: [(String, (inout CellPlan) -> Void)] = [
      ("soft weights, probe, reset", { _ in }),
      ("mean difference", { $0.direction = .meanDifference }),
      ("update rule decay", { $0.rule = .decay }),
    ]
    for count in [heads / 12, heads / 3, heads] where count > 0 {
      rows.append(
        (
          "hard weights, \(count) heads",
          { plan in
            plan.usesHardWeights = true
            plan.hardHeads = count
          }
        ))
    }
    for (name, change) in rows {
      table.rows.append(
        try row(
          name,
          traits.map { trait in
            plan("ablation", name, [trait]) { plan in
              plan.steering = .smitin
              plan.alpha = tuned.alpha
              plan.period = tuned.period
              change(&plan)
            }
          }))
    }
    return table
  }

  private func pairs(_ tuned: Dose) throws -> SteeringReport.Table {
    var table = SteeringReport.Table(
      title: "Pairs: how few are enough for SMITIN at the chosen dose",
      note: "Success is by those probes themselves, presence by the judge. "
        + "Paper, accuracy of the best head: 10 pairs 79.1, 100 82.6, 500 84.4, 1000 84.8, all 85.1 %."
    )
    guard let teacher = runner.teacher else {
      table.note += " No catalogue to learn from was given."
      return table
    }
    for count in [10, 100, 500, 1000, 0] {
      let limit = count == 0 ? nil : count
      guard try traits.allSatisfy({ try teacher.probes($0, pairs: limit) != nil }) else {
        table.note += " There are fewer than \(count) pairs of some trait."
        continue
      }
      let name = count == 0 ? "all pairs" : "\(count) pairs"
      table.rows.append(
        try row(
          name,
          traits.map { trait in
            plan("pairs", name, [trait]) { plan in
              plan.steering = .smitin
              plan.alpha = tuned.alpha
              plan.period = tuned.period
              plan.pairs = count
            }
          }))
    }
    return table
  }

  private func fromText(_ tuned: Dose) throws -> SteeringReport.Table {
    var table = SteeringReport.Table(
      title: "Text to music: tags of songs without X",
      note:
        "Paper: text + “add X” 30.8, original intervention 52.0 (distance 0.538), SMITIN α 5 29.7 (0.487), "
        + "α 10 39.5 (0.497); text alone distance 0.482.")
    let references = try references()
    for (name, change) in methods(tuned)
    where !name.hasPrefix("iti-decay") && !name.hasSuffix("text") {
      let title =
        name == "none" ? "tags" : name.hasPrefix("text") ? "tags + “add X”" : "tags + \(name)"
      table.rows.append(
        try row(
          title,
          traits.map { trait in
            plan("text", title, [trait]) { plan in
              change(&plan)
              plan.text = plan.text == "add" ? "tags+add" : "tags"
              plan.start = .nothing
            }
          }, references: references))
    }
    return table
  }

  private func recorded(_ tuned: Dose) throws -> SteeringReport.Table {
    var table = SteeringReport.Table(
      title: "“Recorded”: steering away from the sound of generated music",
      note: "Success by the probes of “recorded”; distance to real songs.")
    guard (try? runner.knob("recorded")) != nil else {
      table.note += " No bundle with a trait “recorded” was given."
      return table
    }
    let references = try references()
    let fit = traits.first.flatMap { references[$0] }
    for alpha in [0, 1, 5, 10, tuned.alpha] as [Float] {
      let name = alpha == 0 ? "none" : "smitin α \(String(format: "%g", alpha))"
      let cell = plan("recorded", name, ["recorded"]) { plan in
        plan.steering = alpha == 0 ? .none : .smitin
        plan.alpha = alpha
        plan.period = alpha == tuned.alpha ? tuned.period : 5
        plan.start = .nothing
      }
      table.rows.append(try row(name, [cell], references: fit.map { ["recorded": $0] } ?? [:]))
    }
    return table
  }

  private func drift(_ tuned: Dose) throws -> SteeringReport.Table {
    var table = SteeringReport.Table(
      title: String(format: "Drift of the gain over %g seconds of play", driftSeconds),
      note: "Mean gain per half minute.")
    for rule in UpdateRule.allCases {
      let cells = traits.map { trait in
        plan("drift", "update rule \(rule.rawValue)", [trait]) { plan in
          plan.steering = .smitin
          plan.alpha = tuned.alpha
          plan.period = tuned.period
          plan.rule = rule
          plan.clips = driftClips
          plan.seconds = driftSeconds
        }
      }
      table.rows.append(try row("update rule \(rule.rawValue)", cells))
    }
    return table
  }
}
