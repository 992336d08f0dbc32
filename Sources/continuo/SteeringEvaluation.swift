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
  /// The dose of all suites but the first; nil leaves the choice to the suite “dose”.
  let chosen: Dose?
  /// Only rows of these names are made; empty for all.
  var rows: [String] = []
  /// Clips and seconds of the cells that look for drift.
  var driftClips = 4
  var driftSeconds = 600.0

  /// Runs everything; `save` is called behind every table.
  func run(model: String, save: (SteeringReport) throws -> Void) throws -> SteeringReport {
    var report = SteeringReport(
      model: model, clips: suites == [.dose] ? validationClips : clips, seconds: seconds)
    var dose = chosen
    if suites.contains(.dose) || dose == nil {
      let (tables, best) = try doseTables()
      report.tables += tables
      dose = chosen ?? best
      report.dose = dose
      try save(report)
    }
    let tuned = dose ?? Dose.paper
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
    plan.hardHeads = Dose.hardHeads(of: runner.model.config.decoder)
    plan.seed = seed
    change(&plan)
    return plan
  }

  /// A row that differs from an unsteered one.
  private typealias Method = (name: String, change: (inout CellPlan) -> Void)

  /// SMITIN at a dose, or another method with its push at every step.
  private func push(
    _ dose: Dose, _ method: SteeringMethod = .smitin, words: CellPlan.Words = .none
  ) -> (inout CellPlan) -> Void {
    { plan in
      plan.steering = method
      plan.alpha = dose.alpha
      plan.period = dose.period
      plan.direction = dose.direction
      plan.text = words
    }
  }

  /// Whether a row was asked for.
  private func isWanted(_ name: String) -> Bool {
    rows.isEmpty || rows.contains(name)
  }

  /// Rows that are pushed: the original intervention at its published α and above, and in the direction of the chosen
  /// dose; SMITIN at the paper's doses, the chosen one and twice that.
  private func pushes(_ tuned: Dose) -> [Method] {
    func hard(_ alpha: Float, _ direction: DirectionKind = .probe) -> Dose {
      Dose(alpha: alpha, period: 1, direction: direction)
    }
    let originals =
      [15, 20, 40].map { hard($0) }
      + (tuned.direction == .probe
        ? [] : [0.5, 1, 2].map { hard($0 * tuned.alpha, tuned.direction) })
    let all: [Method] =
      originals.map { dose in
        ("iti \(dose.name.replacingOccurrences(of: " s 1", with: ""))", push(dose, .iti))
      } + [("iti-decay α 15", push(hard(15), .itiDecay))]
      + [Dose.paper, Dose.strong, tuned, tuned.doubled].map { ("smitin \($0.name)", push($0)) }
    // The chosen dose may be one of the paper's.
    var seen = Set<String>()
    return all.filter { seen.insert($0.name).inserted }
  }

  /// The rows of the continuation table.
  private func methods(_ tuned: Dose) -> [Method] {
    [
      ("none", { _ in }), ("text “add X”", { $0.text = .add }), ("text “X”", { $0.text = .name }),
      ("text own", { $0.text = .own }), ("text own + X", { $0.text = .ownAndName }),
    ] + pushes(tuned)
      + [("smitin \(tuned.name), text own + X", push(tuned, words: .ownAndName))]
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
      entry.error = figures.presenceError
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

  private func songsName(with present: Bool) -> String {
    present ? "songs with X" : "songs without X"
  }

  /// What judge and probes say of real songs, of the length of the clips, but at most 12 s.
  private func songsRow(with present: Bool) throws -> SteeringReport.Row {
    let name = songsName(with: present)
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
    for trait in traits { result[trait] = try runner.reference(trait) }
    return result
  }

  // MARK: suites

  /// The grid on validation prompts, what the rule asked besides, and the dose that it took.
  private func doseTables() throws -> ([SteeringReport.Table], Dose) {
    var adding = SteeringReport.Table(
      title: "Dose, on validation prompts", note: DoseChoice.rule)
    var taking = SteeringReport.Table(
      title: "Taking out, on validation prompts with X",
      note: "Doses that came near enough to be asked, at strength −1.")
    let references = try references()
    func add(_ name: String, _ change: (inout CellPlan) -> Void) throws -> SteeringReport.Row {
      let row = try row(
        name,
        traits.map { trait in
          plan("dose", name, [trait]) { plan in
            change(&plan)
            plan.clips = validationClips
            plan.isValidation = true
          }
        }, references: references)
      if !adding.rows.contains(where: { $0.name == name }) { adding.rows.append(row) }
      return row
    }
    func take(_ name: String, _ change: (inout CellPlan) -> Void) throws -> Double {
      let row = try row(
        name,
        traits.map { trait in
          plan("dose-removal", name, [trait]) { plan in
            change(&plan)
            plan.clips = validationClips
            plan.isValidation = true
            plan.strength = -1
            plan.start = .with
          }
        })
      if !taking.rows.contains(where: { $0.name == name }) { taking.rows.append(row) }
      return row.mean { $0.presence }
    }
    func trial(_ dose: Dose, _ row: SteeringReport.Row) -> DoseChoice.Trial {
      DoseChoice.Trial(
        dose: dose, presence: row.entries.map { $0.presence }, distance: row.mean { $0.distance })
    }
    let none = try add("none") { _ in }
    let choice = DoseChoice(
      unsteered: (none.entries.map { $0.presence }, none.mean { $0.distance }))
    let trials = try doses.map { dose in
      trial(dose, try add("smitin \(dose.name)", push(dose)))
    }
    let chosen = try choice.dose(
      among: trials,
      remaining: { dose in
        let unsteered = try take("none") { _ in }
        return try take("smitin −\(dose.name)", push(dose)) / unsteered
      },
      doubled: { dose in
        try add("smitin \(dose.doubled.name)", push(dose.doubled)).mean { $0.distance }
      })
    return ([adding] + (taking.rows.isEmpty ? [] : [taking]), chosen ?? doses[0])
  }

  private func continuation(_ tuned: Dose, _ report: inout SteeringReport) throws {
    var table = SteeringReport.Table(
      title: "Continuation: adding X to prompts without it",
      note:
        "Paper (MusicGen-large, 1000 clips of 30 s): success none 7.4, text 12.8, original intervention 49.9, "
        + "SMITIN 23.3 %; distance and similarity there are on other embeddings: 0.420 and 0.896 for the "
        + "original intervention, 0.336 and 0.913 for SMITIN.")
    table.note +=
      " Text: “add X” and “X” are those words alone, “own” is a caption of what sounds in the prompt as the model's "
      + "training had them, “own + X” the same caption with X. Songs: held-out ones in which X sounds all the time, or "
      + "never, as judge and probes find them."
    let references = try references()
    for (name, change) in methods(tuned) where isWanted(name) {
      table.rows.append(
        try row(
          name, traits.map { plan("continuation", name, [$0], change) }, references: references))
    }
    let pairs = table.rows.flatMap(\.correlation)
    for present in [false, true] where isWanted(songsName(with: present)) {
      table.rows.append(try songsRow(with: present))
    }
    report.tables.append(table)
    for trait in traits {
      let own = pairs.filter { $0.trait == trait && $0.reading.isFinite && $0.logit.isFinite }
      report.correlation[trait] = rankCorrelation(own.map(\.reading), own.map(\.logit)) ?? .nan
    }
  }

  private func removal(_ tuned: Dose) throws -> SteeringReport.Table {
    var table = SteeringReport.Table(
      title: "Removal: taking X out of prompts with it",
      note:
        "Success is 1 minus the share of steps in which the probes find X; presence should fall.")
    var rows: [Method] = [
      ("none", { _ in }), ("text “no X”", { $0.text = .no }),
      ("text own, without X", { $0.text = .own }),
      ("iti α −15", push(Dose(alpha: 15, period: 1), .iti)),
      ("smitin −\(Dose.paper.name)", push(Dose.paper)),
      ("smitin −\(tuned.name)", push(tuned)),
      ("smitin −\(tuned.doubled.name)", push(tuned.doubled)),
    ]
    rows += variations(tuned).filter { $0.name.hasPrefix("the other") || $0.name.hasPrefix("hard") }
      .map { ("smitin −\(tuned.name), \($0.name)", $0.change) }
    // The chosen dose may be the paper's.
    var seen = Set<String>()
    for (name, change) in rows where isWanted(name) && seen.insert(name).inserted {
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
    if isWanted(songsName(with: false)) { table.rows.append(try songsRow(with: false)) }
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
    where ["none", "text “add X”", "text own + X", "smitin \(tuned.name)"].contains(name)
      && isWanted(name)
    {
      table.rows.append(try row(name, groups.map { plan("several", name, $0, change) }))
    }
    return table
  }

  /// Variations of SMITIN at a dose.
  private func variations(_ tuned: Dose) -> [Method] {
    let heads = runner.model.config.decoder.layers * runner.model.config.decoder.heads
    var other = tuned
    other.direction = tuned.direction == .probe ? .meanDifference : .probe
    func hard(_ count: Int) -> (inout CellPlan) -> Void {
      { plan in
        push(tuned)(&plan)
        plan.usesHardWeights = true
        plan.hardHeads = count
      }
    }
    let direction = other.direction == .probe ? "the probes'" : "mean difference"
    let rows: [Method] = [
      ("as chosen", push(tuned)), ("the other direction, \(direction)", push(other)),
      (
        "update rule decay",
        { plan in
          push(tuned)(&plan)
          plan.rule = .decay
        }
      ),
    ]
    return rows
      + [heads / 12, heads / 3, heads].filter { $0 > 0 }.map {
        ("hard weights, \($0) of \(heads) heads", hard($0))
      }
  }

  private func ablation(_ tuned: Dose) throws -> SteeringReport.Table {
    var table = SteeringReport.Table(
      title: "Ablation: variations of SMITIN at the chosen dose",
      note: "Soft against hard weights, probe against mean-difference direction, both update rules."
    )
    let references = try references()
    for (name, change) in variations(tuned) where isWanted(name) {
      // The first is a row of the continuation table, whose clips serve twice.
      let isBase = name == variations(tuned)[0].name
      let plans = traits.map { trait in
        isBase
          ? plan("continuation", "smitin \(tuned.name)", [trait], change)
          : plan("ablation", name, [trait], change)
      }
      table.rows.append(try row(name, plans, references: references))
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
              push(tuned)(&plan)
              plan.pairs = count
            }
          }))
    }
    return table
  }

  private func fromText(_ tuned: Dose) throws -> SteeringReport.Table {
    var table = SteeringReport.Table(
      title: "Text to music: captions of stretches of songs without X",
      note:
        "“own” is the caption of what sounds there, style, tempo and key. Paper: text + “add X” 30.8, original "
        + "intervention 52.0 (distance 0.538), SMITIN α 5 29.7 (0.487), α 10 39.5 (0.497); text alone distance 0.482."
    )
    let references = try references()
    let rows: [Method] =
      [("own", { $0.text = .own }), ("own + X", { $0.text = .ownAndName })]
      + pushes(tuned).filter { !$0.name.hasPrefix("iti-decay") }.map { method in
        (
          "own, \(method.name)",
          { plan in
            method.change(&plan)
            plan.text = .own
          }
        )
      }
    for (name, change) in rows where isWanted(name) {
      table.rows.append(
        try row(
          name,
          traits.map { trait in
            plan("text", name, [trait]) { plan in
              change(&plan)
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
    let doses = [1, 5, 10].map { Dose(alpha: $0, period: 5) } + [tuned]
    let rows: [Method] =
      [("none", { _ in })] + doses.map { ("smitin \($0.name)", push($0)) }
    for (name, change) in rows where isWanted(name) {
      let cell = plan("recorded", name, ["recorded"]) { plan in
        change(&plan)
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
          push(tuned)(&plan)
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
