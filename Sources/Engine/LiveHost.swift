// What stands behind the control surface: the generation thread, the JACK client, bundles, states,
// takes, MIDI. Everything here runs on the control thread; slow work goes to the loader.

package import Foundation
import Kernels
package import Logging
package import Models
import Reporting
import Synchronization

/// The daemon behind its addresses.
package final class LiveHost: ControlHost {
  /// What the configuration decides.
  package struct Options: Sendable {
    package var modelName = "house"
    /// How the model's weights are kept: f32, bf16, int8 or int4.
    package var weights = WeightFormat.standard.rawValue
    package var allowsQuit = false
    package var folders = DataFolders()
    /// Where takes are written.
    package var takes: URL?
    /// Whether every continuation becomes a take by itself.
    package var records = false

    package init() {}
  }

  package let server: ControlServer
  package let generator: Generator
  package let exchange: AudioExchange
  package let port: AudioPort
  /// Set by `/quit` and by the session manager.
  package private(set) var wantsToQuit = false
  package var session: SessionClient?
  /// Where attributions are asked for; nil when there is no worker to ask.
  package var credits: (any CreditOffice)?

  let model: MusicGen
  let instrument: Instrument
  var options: Options
  let log: Logger
  let loader: Loader
  /// Carries what is asked of `credits`: it must not wait behind takes that are being written.
  let clerk = Loader()
  /// Jobs that no worker has spoken of yet, and when that is to be said.
  var jobsWaiting: [String: ContinuousClock.Instant] = [:]
  var library: PresetLibrary
  var state = TransportState.listening
  var latency = LatencyRecord()
  var midi: MIDIMap
  /// Loaded knobs by slot.
  var knobs: [Int: PresetKnob] = [:]
  /// Every bundle that has been on a slot, by id: what takes name.
  var bundlesUsed: [String: TakeBundle] = [:]
  var promptName = ""
  /// Names of takes on their way to the disk.
  var takesBeingWritten: Set<String> = []
  /// Takes that players asked for and that the generation thread has not handed over yet.
  var takesAsked = 0
  private var backlog = CommandBacklog()
  /// Whether the program is about to end.
  var isEnding = false
  /// Who the model is. Hashing its weights takes seconds with large ones: only loader jobs ask.
  let identity: ModelIdentityCache
  private var movedByMIDI: String?
  private let started = ContinuousClock.now

  package init(
    server: ControlServer, generator: Generator, exchange: AudioExchange, port: AudioPort,
    model: MusicGen, library: PresetLibrary, options: Options, log: Logger
  ) {
    self.server = server
    self.generator = generator
    self.exchange = exchange
    self.port = port
    self.model = model
    self.library = library
    self.options = options
    self.log = log
    instrument = Instrument(languageModel: model.languageModel, codec: model.codec)
    loader = Loader()
    identity = ModelIdentityCache(
      name: options.modelName, config: model.config.decoder, folder: model.folder)
    midi = MIDIMap(contentsOf: options.folders.midiMap)
    server.host = self
    takeModelSampling()
  }

  /// Begins with the recall that the model asks for.
  private func takeModelSampling() {
    let recall = model.sampling.recall
    guard recall != 0 else { return }
    let (address, value) = ("/sampling/recall", OSCValue.float(recall))
    do {
      try server.begin(address, with: value)
      if let control = MusicControl(address: address, value: value) { send(.music(control)) }
      commit()
    } catch {
      say(explanation(of: error))
    }
  }

  // MARK: ControlHost

  package func changed(address: String, slot: Int?, value: OSCValue, received: Double) throws {
    defer { tellMIDI(address) }
    if AddressTable.byAddress[address]?.row.isSaved == true { session?.tell(isDirty: true) }
    let strengthAddress = address.replacing("/norm", with: "/strength")
    if let slot, address.hasSuffix("/norm"), let strength = server.parameters[strengthAddress] {
      send(.music(MusicControl(.strength, slot: slot, strength.number ?? 0, received: received)))
      return
    }
    if let control = MusicControl(address: address, value: value, received: received) {
      send(.music(control))
      return
    }
    let number = value.number ?? 0
    switch address {
    case "/engine/lookahead": send(.lookahead(number))
    case "/engine/gain": exchange.gain = Float(number)
    case "/engine/dry": exchange.dry = Float(number)
    case "/engine/guard": send(.guardLoudness(number != 0))
    case "/engine/unstick": send(.unstick(number != 0))
    case "/transport/auto": send(.automatic(number != 0))
    case "/transport/follow":
      send(.follow(value.text.flatMap(TransportFollowing.init(rawValue:)) ?? .off))
    case "/prompt/text":
      tell(words: value.text ?? "")
    default:
      guard let slot else { return }
      if address.hasSuffix("/direction") {
        try turn(slot: slot, to: value.text ?? "", received: received)
      } else if address.hasSuffix("/power") || address.hasSuffix("/monitors") {
        prepare(slot: slot, received: received)
      }
    }
  }

  package func commit() { send(.commit) }

  func send(_ command: EngineCommand) { backlog.send(command, to: generator.commands) }

  package func slot(ofTrait id: String) -> Int? {
    knobs.filter { $0.value.trait.id == id }.map(\.key).min()
  }

  package func intercept(_ message: OSCMessage, from sender: OSCPeer) -> Bool {
    session?.take(message, from: sender) == true || passOn(message, from: sender)
  }

  package func reading(_ address: String, slot: Int?) -> [OSCValue] {
    func int(_ value: Int) -> OSCValue { .int(Int32(clamping: value)) }
    let factor = Float(generator.realTimeFactor.load(ordering: .relaxed)) * 1e-6
    let xruns = int(exchange.xruns.load(ordering: .relaxed))
    let underruns = int(exchange.underruns.load(ordering: .relaxed))
    switch address {
    case "/version": return [.string("continuo"), .string("0.1.0")]
    case "/status":
      return [
        .string(state.name), .string(options.modelName), .int(port.state == .running ? 1 : 0),
        .float(factor), .float(load), xruns, underruns,
        .float(Float(generator.ready.load(ordering: .relaxed)) * 1e-3),
      ]
    case "/transport/state": return [.string(state.name)]
    case "/engine/rtf": return [.float(factor)]
    case "/engine/load": return [.float(load)]
    case "/engine/xruns": return [xruns]
    case "/engine/underruns": return [underruns]
    case "/engine/latency":
      return [
        .float(Float(latency.last)), .float(Float(latency.percentile(0.5))),
        .float(Float(latency.percentile(0.99))),
      ]
    default:
      guard let slot else { return [] }
      return [.string(knobs[slot].map { printable($0.trait.label) } ?? "")]
    }
  }

  /// Share of the period that the callback took at its longest.
  private var load: Float {
    let period = exchange.period.load(ordering: .relaxed)
    let rate = exchange.sampleRate.load(ordering: .relaxed)
    guard period > 0, rate > 0 else { return 0 }
    return Float(exchange.longestCallback.load(ordering: .relaxed)) * 1e-9 * Float(rate)
      / Float(period)
  }

  package func perform(_ address: String, _ arguments: [OSCValue]) throws -> [[OSCValue]] {
    switch address {
    case "/knobs/zero": try zeroKnobs()
    case "/transport/listen": order(.listen)
    case "/transport/continue":
      order(
        .play(seconds: arguments.first?.number ?? server.parameters.number("/prompt/seconds")))
    case "/transport/restart":
      let seed = Int32.random(in: 0 ... .max)
      try server.set("/sampling/seed", .int(seed), received: 0)
      order(.restart(seed: Int(seed)))
    case "/transport/stop": order(.stop)
    case "/prompt/load": try loadPrompt(arguments[0].text ?? "")
    case "/prompt/clear":
      promptName = ""
      generator.deliveries.post(.prompt(codes: [], sound: []))
      try server.set("/prompt/text", .string(""), received: 0)
    case "/quit":
      guard options.allowsQuit else { throw ControlError.notAllowed(what: "/quit") }
      wantsToQuit = true
    case "/state/save": try saveStateLater(named: arguments[0].text ?? "")
    case "/state/load": try loadStateLater(named: arguments[0].text ?? "")
    case "/take/keep":
      try checkRoom()
      keepTake(named: try arguments.first?.text.map(DataFolders.checked))
    case "/take/list": return takeNames.map { [.string($0)] } + [[.int(Int32(takeNames.count))]]
    case "/attribution/start": try startAttribution(ofTake: arguments[0].text ?? "")
    case "/attribution/cancel": try cancelAttribution(arguments[0].text ?? "")
    default:
      if address.hasPrefix("/preset/") { return try performPreset(address, arguments) }
      if address.hasPrefix("/midi/") { return try performMIDI(address, arguments) }
    }
    return []
  }

  private func order(_ command: EngineCommand) {
    send(command)
    commit()
  }

  // MARK: The turn of the loop

  /// Takes in what the other threads have to say. Called by the poll loop, about 200 times per second.
  package func attend() {
    loader.deliver()
    clerk.deliver()
    lookAfterJobs()
    while let report = generator.reports.take() { tell(report) }
    for material in generator.takes.take() {
      if !material.isAutomatic { takesAsked -= 1 }
      if options.records || !material.isAutomatic { write(material) }
    }
    while true {
      let message = exchange.midiIn.take()
      if message == 0 { break }
      receiveMIDI(message)
    }
    backlog.flush(to: generator.commands)
  }

  private func tell(_ report: EngineReport) {
    switch report {
    case .state(let new):
      state = new
      server.announce(OSCMessage("/transport/state", [.string(new.name)]))
      log.info("\(new.name)")
    case .joined(let frame, let seconds):
      let serverFrame = Int64(frame + exchange.serverOffset.load(ordering: .relaxed))
      server.announce(
        OSCMessage("/transport/joined", [.int64(serverFrame), .double(seconds)]))
      log.info("joined \(Int(seconds * 1000)) ms after the trigger")
    case .meter(let slot, let reading, let threshold, let gain):
      server.announce(
        OSCMessage("/knob/\(slot)/meter", [.float(reading), .float(threshold), .float(gain)]))
    case .applied(let slot, let step, let frame, let received):
      let seconds = OSCTime.now() - received
      if received > 0 { latency.add(seconds) }
      guard slot > 0 else { return }
      server.announce(
        OSCMessage(
          "/knob/\(slot)/applied",
          [
            .int(Int32(clamping: step)),
            .int64(Int64(frame + exchange.serverOffset.load(ordering: .relaxed))),
            .double(received > 0 ? seconds : 0),
          ]))
    case .notice(let notice):
      say(notice.text)
      // What the knobs ask for is the first suspect.
      if notice == .broken { try? zeroKnobs() }
    }
  }

  private func zeroKnobs() throws {
    for slot in 1...AddressTable.slots {
      try server.set("/knob/\(slot)/strength", .float(0), received: OSCTime.now())
    }
    commit()
  }

  /// Tells players and the log.
  package func say(_ text: String) {
    log.notice("\(printable(text))")
    server.announce(OSCMessage("/engine/notice", [.string(text)]))
    session?.tell(message: text)
  }

  /// Has a text read and handed over; empty takes it away.
  private func tell(words: String) {
    let (model, generator) = (model, generator)
    loader.run("text") {
      words.isEmpty ? nil : try model.textContext(words, pool: ComputePool())
    } then: { [weak self] result in
      switch result {
      case .success(let context): generator.deliveries.post(.text(context, words: words))
      case .failure(let error): self?.say(explanation(of: error))
      }
    }
  }

  // MARK: Knobs

  /// Puts the trait of that name on a slot, with the settings that its bundle suggests.
  private func turn(slot: Int, to name: String, received: Double) throws {
    guard !name.isEmpty else {
      knobs[slot] = nil
      generator.deliveries.post(
        .direction(nil, source: DirectionSource(""), slot: slot, received: received))
      return
    }
    let (library, identity) = (library, identity)
    let loaded = knobs.values.map(\.bundle)
    loader.run("direction \(slot)") { () -> (PresetKnob, ModelIdentity) in
      if let known = try? PresetKnob.find(name, in: loaded) { return (known, try identity.get()) }
      let bundleName = name.split(separator: "/").dropLast().joined(separator: "/")
      let knob = try PresetKnob.find(
        name, in: [try library.find(bundleName.isEmpty ? name : bundleName)])
      return (knob, try identity.get())
    } then: { [weak self] result in
      switch result {
      case .success(let (knob, identity)):
        self?.install(knob, slot: slot, fitting: identity, received: received)
      case .failure(let error): self?.say(explanation(of: error))
      }
    }
  }

  /// Checks that a knob fits the model, takes its defaults over and has its direction made.
  func install(
    _ knob: PresetKnob, slot: Int, fitting identity: ModelIdentity, received: Double
  ) {
    do {
      if case .sameDimensions(let warning) = try knob.bundle.compatibility(with: identity) {
        say("\(knob.bundle.name): \(warning)")
      }
      knobs[slot] = knob
      bundlesUsed[knob.bundle.manifest.id] = TakeBundle(knob.bundle)
      let defaults = knob.trait.defaults
      let base = "/knob/\(slot)/"
      try server.set(base + "alpha", .float(defaults.alpha), received: 0)
      try server.set(base + "period", .int(Int32(clamping: defaults.period)), received: 0)
      try server.set(base + "ramp", .float(defaults.ramp), received: 0)
      try server.set(base + "update_rule", .string(defaults.updateRule.rawValue), received: 0)
      if defaults.method != .none {
        try server.set(base + "method", .string(defaults.method.rawValue), received: 0)
      }
      try server.setQuietly(base + "power", .float(defaults.power))
      try server.setQuietly(base + "monitors", .int(Int32(clamping: defaults.monitors)))
      try server.setQuietly(base + "direction", .string(knob.name))
      commit()
      prepare(slot: slot, received: received)
    } catch {
      say(explanation(of: error))
    }
  }

  /// Has the direction of a slot made with the present power and monitors, and handed over.
  private func prepare(slot: Int, received: Double) {
    guard let knob = knobs[slot] else { return }
    var options = knob.trait.defaults.options
    options.power = Float(server.parameters.number("/knob/\(slot)/power"))
    options.monitors = Int(server.parameters.number("/knob/\(slot)/monitors"))
    let chosen = options
    let (model, generator) = (model.languageModel, generator)
    loader.run("probes \(slot)") {
      knob.direction(model: model, options: chosen, pool: ComputePool())
    } then: { result in
      if case .success(let direction) = result {
        generator.deliveries.post(
          .direction(
            direction,
            source: DirectionSource(
              knob.name, power: chosen.power, monitors: chosen.monitors),
            slot: slot, received: received))
      }
    }
  }

  /// Loads a bundle and puts its traits on free slots.
  package func load(bundle name: String) {
    let (library, identity) = (library, identity)
    loader.run {
      (try library.find(name), try identity.get())
    } then: { [weak self] result in
      guard let self else { return }
      switch result {
      case .success(let (bundle, identity)):
        for trait in bundle.manifest.traits {
          let knob = PresetKnob(bundle: bundle, trait: trait)
          if knobs.values.contains(where: { $0.name == knob.name }) { continue }
          guard let slot = (1...AddressTable.slots).first(where: { self.knobs[$0] == nil })
          else { break }
          install(knob, slot: slot, fitting: identity, received: 0)
        }
        log.info("loaded \(bundle.name)")
      case .failure(let error): say(explanation(of: error))
      }
    }
  }

  // MARK: MIDI

  private func receiveMIDI(_ message: UInt32) {
    let parameters = server.parameters
    switch midi.receive(message, share: { Self.share(of: $0, in: parameters) }) {
    case .nothing: break
    case .learned(let mapping):
      saveMIDI()
      say("learned channel \(mapping.channel), controller \(mapping.controller)")
    case .move(let address, let share):
      movedByMIDI = address
      defer { movedByMIDI = nil }
      do {
        try server.set(
          address, Self.value(at: share, of: address), received: OSCTime.now())
        commit()
      } catch {
        say(explanation(of: error))
      }
    }
  }

  /// Lamps and motor faders follow what others change.
  private func tellMIDI(_ address: String) {
    guard address != movedByMIDI else { return }
    for message in midi.moved(address, share: Self.share(of: address, in: server.parameters)) {
      _ = exchange.midiOut.offer(message)
    }
  }

  /// Where an address stands in its range, 0 … 1.
  static func share(of address: String, in parameters: ParameterStore) -> Double {
    guard let kind = AddressTable.byAddress[address]?.row.arguments.first?.kind else { return 0 }
    let number = parameters.number(address)
    switch kind {
    case .float(let range):
      return (number - Double(range.lowerBound)) / Double(range.upperBound - range.lowerBound)
    case .int(let range):
      return (number - Double(range.lowerBound))
        / max(1, Double(range.upperBound) - Double(range.lowerBound))
    default: return number
    }
  }

  /// The value of an address at a share of its range.
  static func value(at share: Double, of address: String) -> OSCValue {
    switch AddressTable.byAddress[address]?.row.arguments.first?.kind {
    case .float(let range):
      .double(
        Double(range.lowerBound) + share * Double(range.upperBound - range.lowerBound))
    case .int(let range):
      .double(
        Double(range.lowerBound)
          + share * (Double(range.upperBound) - Double(range.lowerBound)))
    default: .double(share)
    }
  }

  func saveMIDI() {
    let (folders, data) = (options.folders, midi.data)
    loader.run("midi") {
      try DataFolders.make(folders.configuration)
      try AtomicFile.write(data, to: folders.midiMap)
    } then: { [weak self] result in
      if case .failure(let error) = result { self?.say(explanation(of: error)) }
    }
  }
}
