// `continuo manual`: the manual pages, made from what the programs and the address table say themselves.

import ArgumentParser
import Engine
import Foundation
import Reporting

struct ManualCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "manual", abstract: "Writes the manual pages of the programs and of their OSC.",
    discussion: """
      man1/continuo.1, man1/continuod.1 and man1/continuo-worker.1 come from the programs' own help, \
      man7/continuo-osc.7 from the table of addresses. Service/install puts them, and \
      continuo-bundle(5), where man looks.

      Example: continuo manual manuals && man -l manuals/man7/continuo-osc.7
      """)

  @ArgumentParser.Argument(help: "The folder to write them into.") var folder: String

  func run() throws {
    let root = URL(fileURLWithPath: folder, isDirectory: true)
    let version = Continuo.configuration.version
    let programs = ["continuo", "continuod", "continuo-worker"]
    var pages: [(path: String, page: ManualPage)] = []
    for program in programs {
      let others = programs.filter { $0 != program }.map { "\($0)(1)" }
      pages.append(
        (
          "man1/\(program).1",
          try help(of: program).page(
            version: version, more: Self.more[program] ?? [],
            seeAlso: others + ["continuo-bundle(5)", "continuo-osc(7)"])
        ))
    }
    pages.append(("man7/continuo-osc.7", AddressManual.page(version: version)))
    for (path, page) in pages {
      let file = root.appendingPathComponent(path)
      try DataFolders.make(file.deletingLastPathComponent())
      try AtomicFile.write(Data(page.source.utf8), to: file)
      print(file.path)
    }
  }

  /// What the help of a program does not say.
  private static let more: [String: [(title: String, text: String)]] = [
    "continuo": [
      (
        "Environment",
        "CONTINUO_PRESET_PATH: folders to look for bundles in before all others, with colons between. "
          + "XDG_DATA_HOME, XDG_DATA_DIRS, XDG_CONFIG_HOME, XDG_CACHE_HOME and XDG_STATE_HOME are obeyed."
      )
    ],
    "continuod": [
      (
        "Configuration",
        """
        The file that --config names has lines of the form key = value; # begins a comment, options on the \
        command line win. Keys are \(Configuration.keys.joined(separator: ", ")); bundle may stand there \
        several times, allow-quit is yes or no, state names values that /state/save kept.
        """
      ),
      (
        "Files",
        """
        Below ~/.local/share/continuo, or $XDG_DATA_HOME/continuo: presets, models, states, prompts, takes and, \
        for /attribution/start, catalogues/MODEL.

        ~/.config/continuo/midi.json, or below $XDG_CONFIG_HOME: the MIDI map.

        ~/.local/state/continuo/attribution.sqlite, or below $XDG_STATE_HOME: the jobs of continuo-worker.
        """
      ),
      (
        "Environment",
        "NSM_URL: a session manager that speaks the protocol of New Session Manager; no JACK client is opened "
          + "before it opens a session. OPENBLAS_CORETYPE: kernels for OpenBLAS; without it, the "
          + "program chooses. NOTIFY_SOCKET and WATCHDOG_USEC: set by systemd."
      ),
    ],
    "continuo-worker": [
      (
        "Files",
        """
        ~/.local/state/continuo/attribution.sqlite, or below $XDG_STATE_HOME: jobs, and what has been computed \
        for them; several workers may share it.

        ~/.cache/continuo/fisher, or below $XDG_CACHE_HOME: Fisher informations of models and catalogues.
        """
      )
    ],
  ]

  /// Asks a program, this one or one that lies beside it, for its help.
  private func help(of program: String) throws -> CommandHelp {
    let here = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let process = Process()
    process.executableURL = here.deletingLastPathComponent().appendingPathComponent(program)
    process.arguments = ["--experimental-dump-help"]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardInput = FileHandle.nullDevice
    do {
      try process.run()
    } catch {
      throw CommandError.clash(
        what: "\(program) does not lie beside continuo",
        remedy: "build all three programs, or install them together")
    }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard let help = try? JSONDecoder().decode(CommandHelp.self, from: data) else {
      throw CommandError.clash(
        what: "\(program) says nothing about itself that can be understood",
        remedy: "build all three programs from the same sources")
    }
    return help
  }
}
