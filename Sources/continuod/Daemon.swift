// The life of the daemon, from its first log line to its last.

import Engine
import Foundation
import HouseModel
import Kernels
import Logging
import Models
import Reporting

#if canImport(Glibc)
  import Glibc
#endif

/// Everything that runs, in the order in which it starts.
struct Daemon {
  private let settings: Configuration
  private let log = Logger(label: "continuod")

  init(_ settings: Configuration) { self.settings = settings }

  func run() throws {
    // Like other audio servers' helpers: before desktop programs, behind JACK. A refusal does no harm.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -11)
    // Linux shares the processor out between sessions first (sched_autogroup), and there only this counts.
    if let group = try? FileHandle(forWritingTo: URL(fileURLWithPath: "/proc/self/autogroup")) {
      try? group.write(contentsOf: Data("-11\n".utf8))
    }
    // A file that may not grow any more is an error to be told, not an end.
    _ = signal(SIGXFSZ, SIG_IGN)
    let notifier = ServiceNotifier()
    let socket = try OSCServer(address: settings.oscBind, port: settings.oscPort)
    let loop = PollLoop(socket: socket.descriptor)
    log.info("OSC on UDP \(settings.oscBind):\(socket.port)")

    let location = try ModelLocation.find(settings.model, shipped: HouseModel.resources)
    let threads =
      settings.threads > 0 ? settings.threads : min(ProcessInfo.processInfo.activeProcessorCount, 8)
    let pool = ComputePool(threads: threads)
    let model = try MusicGen(
      folder: location.folder, weights: settings.weights,
      pool: pool)
    log.info("model \(location.name), \(settings.weights), \(threads) threads")

    let exchange = AudioExchange()
    let generator = Generator(
      instrument: Instrument(languageModel: model.languageModel, codec: model.codec),
      exchange: exchange, pool: pool)
    let server = ControlServer(socket: socket, log: log)
    let session = ProcessInfo.processInfo.environment["NSM_URL"].flatMap { url in
      SessionClient(url: url) { socket.send($0, to: $1) }
    }
    let port = AudioPort(
      name: settings.jackName, connect: settings.connect, exchange: exchange,
      server: settings.jackServer)
    var options = LiveHost.Options()
    options.modelName = location.name
    options.weights = settings.weights.rawValue
    options.allowsQuit = settings.allowsQuit
    options.records = settings.record != nil
    options.takes = settings.record.map { URL(fileURLWithPath: $0) }
    let host = LiveHost(
      server: server, generator: generator, exchange: exchange, port: port, model: model,
      library: PresetLibrary(), options: options, log: log)
    host.credits = AttributionDesk(
      model: location.folder,
      catalogue: settings.catalogue.map { URL(fileURLWithPath: $0) }
        ?? HouseModel.catalogue(of: location.folder)
        ?? options.folders.data.appendingPathComponent("catalogues/\(location.name)"))
    generator.start()
    for bundle in settings.bundles { host.load(bundle: bundle) }
    if let state = settings.state { host.restore(state: state) }
    host.removeLeftovers()

    if let session {
      host.join(session, port: port)
      session.announce(executable: "continuod")
      log.info("waiting for the session manager")
    } else {
      port.start()
    }
    // All threads are there and have this thread's rank. Who answers players comes before who computes ahead for them.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -15)
    notifier.ready(status: "listening")
    live(loop, server, host, notifier)

    log.info("ending")
    notifier.stopping()
    host.fadeOut()
    let isClosed = port.stop()
    generator.stop()
    log.info("ended")
    if !isClosed {
      // A thread still waits in libjack for a server that hangs; its destructors would wait with it.
      log.warning("the JACK server hangs and was left without a goodbye; restart it")
      _exit(0)
    }
  }

  /// The control loop, until a signal or a message ends it.
  private func live(
    _ loop: PollLoop, _ server: ControlServer, _ host: LiveHost, _ notifier: ServiceNotifier
  ) {
    var problem = ""
    while !host.wantsToQuit {
      let wake = loop.wait()
      if let signal = wake.signal, signal != SIGHUP { return }
      let now = OSCTime.now()
      server.service(now: now)
      host.attend()
      guard wake.isTimer else { continue }
      notifier.alive(now: now)
      let present = host.port.lastProblem
      if present != problem {
        problem = present
        notifier.tell(status: problem.isEmpty ? "connected to JACK" : problem)
        host.say(problem.isEmpty ? "connected to JACK" : problem)
      }
    }
  }
}
