// The actions of the daemon that concern files: presets, states, prompts, takes, MIDI maps.

import Audio
package import Foundation
import Kernels
import Logging
import Models
import Reporting

extension LiveHost {
  func performPreset(_ address: String, _ arguments: [OSCValue]) throws -> [[OSCValue]] {
    let name = arguments.first?.text ?? ""
    switch address {
    case "/preset/list":
      let loaded = Set(knobs.values.map(\.bundle.manifest.id))
      let library = library
      try answerLater {
        let found = library.list().filter { $0.shadowedBy == nil }
          .compactMap { try? $0.bundle.get() }
        return found.map {
          [
            .string($0.name), .string(printable($0.manifest.name)),
            .int(loaded.contains($0.manifest.id) ? 1 : 0),
          ]
        } + [[.int(Int32(found.count))]]
      }
    case "/preset/load":
      try checkRoom()
      load(bundle: try checkedBundle(name))
    case "/preset/unload":
      let slots = knobs.filter { $0.value.bundle.manifest.id == name }.keys
      guard !slots.isEmpty else {
        throw ControlError.noSuch(what: "loaded bundle", name: printable(name))
      }
      for slot in slots.sorted() {
        try server.set("/knob/\(slot)/strength", .float(0), received: 0)
        try server.set("/knob/\(slot)/direction", .string(""), received: 0)
      }
      commit()
    case "/preset/info":
      let (library, wanted) = (library, try checkedBundle(name))
      try answerLater {
        let bundle = try library.find(wanted)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let text = String(decoding: try encoder.encode(bundle.manifest), as: UTF8.self)
        // One datagram must hold it.
        return [[.string(bundle.name), .string(String(text.prefix(8000)))]]
      }
    default: library = PresetLibrary(folders: library.folders, installFolder: library.installFolder)
    }
    return []
  }

  /// Names over the network are ids, never paths.
  private func checkedBundle(_ name: String) throws -> String {
    let plain = name.replacing("@", with: "-")
    return try DataFolders.checked(plain) == plain ? name : name
  }

  func performMIDI(_ address: String, _ arguments: [OSCValue]) throws -> [[OSCValue]] {
    let target = arguments.first?.text ?? ""
    func checkTarget() throws {
      guard let row = AddressTable.byAddress[target]?.row, row.role == .value,
        row.arguments[0].kind.tag != "s"
      else { throw ControlError.unknownAddress(printable(target)) }
    }
    switch address {
    case "/midi/learn":
      if target.isEmpty {
        midi.learn(nil)
      } else {
        try checkTarget()
        midi.learn(target)
      }
    case "/midi/map":
      try checkTarget()
      let mode = arguments.count > 3 ? arguments[3].text.flatMap(MIDIMode.init) : .absolute
      midi.map(
        MIDIMapping(
          address: target, channel: Int(arguments[1].number ?? 1),
          controller: Int(arguments[2].number ?? 0), mode: mode ?? .absolute))
      saveMIDI()
    case "/midi/unmap":
      guard midi.unmap(target) else {
        throw ControlError.noSuch(what: "mapping", name: printable(target))
      }
      saveMIDI()
    default:
      return midi.mappings.map {
        [
          .string($0.address), .int(Int32($0.channel)), .int(Int32($0.controller)),
          .string($0.mode.rawValue),
        ]
      } + [[.int(Int32(midi.mappings.count))]]
    }
    return []
  }

  /// Refuses when more is asked for than can be worked off.
  /// - Throws: `ControlError.notNow`.
  func checkRoom(_ other: Loader? = nil) throws {
    guard !(other ?? loader).isFull, takesAsked < Loader.limit else {
      throw ControlError.notNow(what: "do that now", why: "too much else is being worked on")
    }
  }

  /// Does slow work behind the control thread's back and answers the sender with its result.
  private func answerLater(_ job: @escaping @Sendable () throws -> [[OSCValue]]) throws {
    try checkRoom()
    let asker = server.answerLater()
    loader.run(nil, job) { [weak self] in self?.server.answer(asker, withLines: $0) }
  }

  // MARK: States

  private func stateFile(named name: String) throws -> URL {
    options.folders.states.appendingPathComponent(try DataFolders.checked(name) + ".json")
  }

  /// Keeps the present values; the sender hears of it when they are on the disk.
  func saveStateLater(named name: String) throws {
    let (file, values) = (try stateFile(named: name), server.parameters.saved)
    try answerLater {
      try StateFile.save(values, to: file)
      return []
    }
  }

  /// Brings values back once everything that is being saved is on the disk.
  func loadStateLater(named name: String) throws {
    let file = try stateFile(named: name)
    try checkRoom()
    let asker = server.answerLater()
    loader.run {
      try StateFile.load(file)
    } then: { [weak self] result in
      guard let self else { return }
      if case .success(let values) = result { bringBack(values) }
      server.answer(asker, withLines: result.map { _ in [] })
    }
  }

  /// Brings the state back that the configuration names; says why when it cannot, but for one never saved.
  package func restore(state name: String) {
    do { try loadState(stateFile(named: name)) } catch ControlError.noSuch {
      log.info("there is no state \(printable(name)) yet")
    } catch {
      say(explanation(of: error))
    }
  }

  /// Removes what an earlier run of the program that was killed had not written to the end.
  package func removeLeftovers() {
    let folders = [options.folders.states, options.folders.configuration, takesFolder]
    loader.run {
      folders.reduce(0) { $0 + AtomicFile.removeLeftovers(in: $1) }
    } then: { [weak self] result in
      if case .success(let count) = result, count > 0 {
        self?.log.notice("removed \(count) half-written files of a run that was killed")
      }
    }
  }

  /// Brings back what a file keeps; everything else goes to its initial value.
  package func loadState(_ file: URL) throws { bringBack(try StateFile.load(file)) }

  /// Sets these values, and all others to what they are at first.
  private func bringBack(_ values: [(address: String, value: OSCValue)]) {
    let kept = Set(values.map(\.address))
    for (address, _) in server.parameters.saved where !kept.contains(address) {
      if let initial = server.parameters.initial(address) {
        try? server.set(address, initial, received: 0)
      }
    }
    for (address, value) in values {
      do { try server.set(address, value, received: 0) } catch { say(explanation(of: error)) }
    }
    commit()
  }

  // MARK: Prompts

  func loadPrompt(_ name: String) throws {
    let folder = options.folders.prompts
    let checked = try DataFolders.checked(name)
    let candidates = [checked] + ["wav", "flac", "ogg", "aiff"].map { "\(checked).\($0)" }
    try checkRoom()
    guard
      let file = candidates.map({ folder.appendingPathComponent($0) })
        .first(where: { FileManager.default.fileExists(atPath: $0.path) })
    else { throw ControlError.noSuch(what: "prompt", name: printable(name)) }
    let seconds = max(0.1, server.parameters.number("/prompt/seconds"))
    let (model, generator) = (model, generator)
    promptName = checked
    loader.run { () -> (codes: [Int32], sound: [Float]) in
      let clip = try AudioFile.read(
        file, part: .last(seconds: seconds), channels: model.channels == 1 ? .mono : .stereo
      ).resampled(to: model.codec.config.samplingRate)
      let over = clip.frames % model.hop
      let channels = clip.channels.map { Array($0.dropFirst(over)) }
      return (try model.encode(channels, pool: ComputePool()), channels[0])
    } then: { [weak self] result in
      switch result {
      case .success(let prompt):
        generator.deliveries.post(.prompt(codes: prompt.codes, sound: prompt.sound))
        self?.say("prompt \(checked) is ready")
      case .failure(let error): self?.say(explanation(of: error))
      }
    }
  }

  // MARK: Takes

  var takesFolder: URL { options.takes ?? options.folders.takes }

  var takeNames: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: takesFolder.path)) ?? []
    return names.filter { name in
      !name.hasPrefix(".")
        && FileManager.default.fileExists(
          atPath: takesFolder.appendingPathComponent(name).appendingPathComponent("take.json").path)
    }.sorted()
  }

  /// Asks for the music so far; it is written when the generation thread has handed it over.
  package func keepTake(named name: String?) {
    takesAsked += 1
    generator.deliveries.post(.keep(name: name ?? ""))
  }

  /// "take-2026-01-31-235959", with a number behind it where that exists.
  private func freshTakeName() -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "yyyy-MM-dd-HHmmss"
    let base = "take-" + formatter.string(from: Date())
    let taken = Set(takeNames).union(takesBeingWritten)
    return ([base] + (2...1000).map { "\(base)-\($0)" }).first { !taken.contains($0) } ?? base
  }

  func write(_ material: TakeMaterial) {
    guard material.codes.count > material.promptFrames * instrument.codebooks else {
      if !material.isAutomatic { say("nothing was played since continue: no take") }
      return
    }
    let name = material.name.isEmpty ? freshTakeName() : material.name
    takesBeingWritten.insert(name)
    let folder = takesFolder.appendingPathComponent(name)
    let bundles = Array(bundlesUsed.values)
    let (instrument, identity, options) = (instrument, identity, options)
    // Decoding minutes of music would keep the program from ending.
    let isEnding = isEnding
    if isEnding {
      log.notice("\(name) is kept without audio.flac; continuo render --score makes it")
    }
    loader.run {
      try Take(
        material: material, instrument: instrument, modelName: options.modelName,
        bundles: bundles, fingerprint: identity.get().fingerprint, weights: options.weights
      ).write(to: folder, withSound: !isEnding)
    } then: { [weak self] result in
      self?.takesBeingWritten.remove(name)
      switch result {
      case .success: self?.say("kept \(name)")
      case .failure(let error): self?.say(explanation(of: error))
      }
    }
  }
}

extension LiveHost {
  /// Lets a session manager say where the state lies and what the JACK client is called.
  package func join(_ session: SessionClient, port: AudioPort) {
    self.session = session
    var opened: SessionClient.Session?
    session.open = { [unowned self] next in
      let file = URL(fileURLWithPath: next.path).appendingPathComponent("state.json")
      try DataFolders.make(file.deletingLastPathComponent())
      // What can fail comes first: a session that cannot be opened leaves the present one as it is.
      let exists = FileManager.default.fileExists(atPath: file.path)
      let values = exists ? try StateFile.load(file) : []
      if opened != nil {
        // The music of the session before ends with it.
        send(.stop)
        commit()
      }
      options.takes = file.deletingLastPathComponent().appendingPathComponent("takes")
      // What was asked for on the command line stays in a new session; of another session nothing does.
      if exists || opened != nil { bringBack(values) }
      if opened == nil {
        port.rename(next.clientID)
        port.start()
      } else if opened?.clientID != next.clientID {
        port.reopen(as: next.clientID)
      }
      opened = next
    }
    session.save = { [unowned self] next in
      try StateFile.save(
        server.parameters.saved,
        to: URL(fileURLWithPath: next.path).appendingPathComponent("state.json"))
    }
  }

  /// Ends the music without a click, within a fifth of a second. What was played is kept where
  /// everything is recorded, and takes that are being written are waited for.
  package func fadeOut() {
    exchange.gain = 0
    if options.records {
      isEnding = true
      send(.stop)
      send(.commit)
    }
    Thread.sleep(forTimeInterval: 0.08)
    attend()
    loader.drain()
    attend()
  }
}
