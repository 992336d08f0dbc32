// The OSC surface of the daemon, as data. Every address of CONTRACT, and nothing that is not here.

/// All addresses.
package enum AddressTable {
  /// Steering slots.
  package static let slots = 8

  /// The rows, in the order of the manual.
  package static let rows: [Address] = general + knobs + music + engine + files + midi + credits

  /// Rows by concrete address: `/knob/3/strength` and the like.
  package static let byAddress: [String: (row: Address, slot: Int?)] = {
    var result: [String: (row: Address, slot: Int?)] = [:]
    for row in rows {
      if row.isPerSlot {
        for slot in 1...slots {
          result["/knob/\(slot)/\(row.leaf)"] = (row, slot)
        }
      } else {
        result[row.pattern] = (row, nil)
      }
    }
    return result
  }()

  /// Every concrete address, sorted.
  package static let addresses: [String] = byAddress.keys.sorted()

  private static let general: [Address] = [
    .reading("/version", "ss", "Name and version of the program."),
    .reading(
      "/status", "ssiffiif",
      "State, model, 1 when JACK is there, real-time factor, load, xruns, underruns, seconds ready."
    ),
    .action("/ping", [], "Answers, so that a controller sees that the daemon lives."),
    .action(
      "/sync", [Argument("id", .int(.min ... .max))],
      "Answers /synced id when everything before has been handed to the engine."),
    .action(
      "/tree", [Argument("under", .text(limit: 256), optional: true)],
      "Answers one line per address: address, role, types, range, unit, sentence; then their number."
    ),
    .action(
      "/dump", [Argument("on", .int(0...1))], "1 writes every incoming message to the log, 0 stops."
    ),
    .action(
      "/subscribe",
      [
        Argument("pattern", .text(limit: 256), optional: true),
        Argument("seconds", .int(1...86400), optional: true),
        Argument("reply_port", .int(1...65535), optional: true),
      ],
      "Sends what matches the pattern, for so long (30 s unless told), to the sender or to that port of its host."
    ),
    .action("/unsubscribe", [], "Ends the sender's subscriptions."),
    .reading("/late", "i", "Bundles whose time tag had passed when they came."),
  ]

  private static let knobs: [Address] = [
    .value(
      "/knob/N/strength", .float(-2...2), .float(0),
      "Push towards (+) or away from (−) the trait; 0 is off, 1 the bundle's own strength."),
    .value(
      "/knob/N/norm", .float(0...1), .float(0.5), saved: false,
      "The strength for plain faders: 0.5 is 0, the ends are −2 and 2."),
    .value(
      "/knob/N/direction", .text(limit: 256), .string(""),
      "The trait of this slot, bundle-id/trait; empty for none."),
    .value(
      "/knob/N/method", .choice(["smitin", "iti", "iti-decay"]), .string("smitin"),
      "How it is steered: self-monitored, or the original intervention, plain or decaying."),
    .value(
      "/knob/N/alpha", .float(0...100), .float(5),
      "What strength 1 means: the factor on every head's deviation."),
    .value(
      "/knob/N/period", .int(1...100), .int(5), unit: "steps",
      "Steps between interventions."),
    .value(
      "/knob/N/power", .float(0...10), .float(3), "Exponent of the soft weights by head accuracy."),
    .value(
      "/knob/N/monitors", .int(1...512), .int(16), unit: "heads",
      "Most accurate heads whose median is the reading."),
    .value(
      "/knob/N/ramp", .float(0...10), .float(0), unit: "s",
      "Time in which a change of strength is reached."),
    .value(
      "/knob/N/mute", .toggle, .int(0), "1 switches the slot off without losing its strength."),
    .value("/knob/N/solo", .toggle, .int(0), "1 switches all slots off that have no solo."),
    .value(
      "/knob/N/update_rule", .choice(["reset", "decay"]), .string("reset"),
      "How the gain follows the reading below the threshold; decay is the other reading of the paper."
    ),
    .reading("/knob/N/name", "s", "Label of the trait on this slot."),
    .event(
      "/knob/N/meter", "fff", "Reading C, threshold τ and gain g; at most 20 per second."),
    .event(
      "/knob/N/applied", "ihd",
      "Step, server frame time and seconds since the request at which a change became audible."),
    .action("/knobs/zero", [], "Sets every strength to 0."),
  ]

  private static let music: [Address] = [
    .action("/transport/listen", [], "Listens to the input and is silent itself."),
    .action(
      "/transport/continue", [Argument("prompt seconds", .float(0...30), optional: true)],
      "Goes on playing from what was just heard; 0 starts from silence."),
    .action("/transport/restart", [], "Continues from the same prompt with a new seed."),
    .action("/transport/stop", [], "Fades to the live input."),
    .reading("/transport/state", "s", "listening, preparing, playing or stopped."),
    .event(
      "/transport/joined", "hd",
      "Server frame time of the first sound that continues, and seconds since it was asked for."),
    .value(
      "/transport/auto", .toggle, .int(0),
      "1 continues by itself when the player falls silent after having played."),
    .value(
      "/transport/follow", .choice(["off", "roll", "bar"]), .string("off"),
      "roll continues when JACK's transport rolls and stops when it stops; bar begins on the next bar line."
    ),
    .value(
      "/prompt/text", .text(limit: 1024), .string(""),
      "Describes the music, with models that read text; blended in while it plays, and a take of its own."
    ),
    .action(
      "/prompt/load", [Argument("name", .text(limit: 128))],
      "Takes a sound from the prompts folder as the prompt; a name, never a path."),
    .value(
      "/prompt/seconds", .float(0...30), .float(10), unit: "s",
      "How much of what was heard becomes the prompt."),
    .action("/prompt/clear", [], "Forgets text and loaded prompt; the live input counts again."),
    .value("/sampling/temperature", .float(0...4), .float(1), "0 takes the likeliest code always."),
    .value(
      "/sampling/top_k", .int(0...2048), .int(250), "Choose among the k likeliest; 0 among all."),
    .value(
      "/sampling/top_p", .float(0...1), .float(1),
      "Choose among the likeliest of this total; 1 among all."),
    .value(
      "/sampling/guidance", .float(1...10), .float(3), "Weight of the text, when there is one."),
    .value(
      "/sampling/recall", .float(0...20), .float(0),
      "Nats that the first codes of the prompt's last bars are likelier by, over and over, fewer while a knob pushes; the house model asks for 12, which keeps the pulse."
    ),
    .value(
      "/sampling/seed", .int(0 ... .max), .int(0),
      "What all chance comes from; the same seed plays the same."),
  ]

  private static let engine: [Address] = [
    .value(
      "/engine/lookahead", .float(0.25...4), .float(1), unit: "s",
      "How far ahead of the play head music is kept ready."),
    .value("/engine/gain", .float(0...2), .float(1), "Level of the outputs, linear."),
    .value(
      "/engine/dry", .float(0...1), .float(1), "Level of the live input while nothing is generated."
    ),
    .value("/engine/guard", .toggle, .int(1), "1 holds the loudness of the music at the prompt's."),
    .value(
      "/engine/unstick", .toggle, .int(1),
      "1 finds silence or a stuck loop and changes the seed until music comes again."),
    .value(
      "/engine/extras", .toggle, .int(1),
      "1 reads knobs at rest too, for their meters; left out by itself while the machine is too slow."
    ),
    .reading("/engine/rtf", "f", "Seconds of work per second of music."),
    .reading(
      "/engine/load", "f", "Share of the period that the audio callback takes, at its longest."),
    .reading("/engine/xruns", "i", "Dropouts that the JACK server counted."),
    .reading("/engine/underruns", "i", "Times that music was due and not ready."),
    .reading(
      "/engine/latency", "fff", "Last, median and 99th percentile of knob-to-sound seconds."),
    .event("/engine/notice", "s", "Something that a player should know, said once."),
  ]

  private static let files: [Address] = [
    .action("/preset/list", [], "Answers the bundles that are installed and loaded."),
    .action(
      "/preset/load", [Argument("id", .text(limit: 256))],
      "Loads a bundle and puts its traits on free slots."),
    .action(
      "/preset/unload", [Argument("id", .text(limit: 256))], "Empties the slots of a bundle."),
    .action(
      "/preset/info", [Argument("id", .text(limit: 256))],
      "Answers what a bundle says about itself, as JSON."),
    .action("/preset/rescan", [], "Looks for bundles again."),
    .action("/state/save", [Argument("name", .text(limit: 128))], "Keeps all values under a name."),
    .action("/state/load", [Argument("name", .text(limit: 128))], "Brings kept values back."),
    .action(
      "/take/keep", [Argument("name", .text(limit: 128), optional: true)],
      "Keeps what was played since continue as a take."),
    .action("/take/list", [], "Answers the names of the takes."),
    .action("/quit", [], "Ends the daemon, where the configuration allows it."),
  ]

  private static let midi: [Address] = [
    .action(
      "/midi/learn", [Argument("address", .text(limit: 256))],
      "The next control that moves drives this address; empty ends learning."),
    .action(
      "/midi/map",
      [
        Argument("address", .text(limit: 256)), Argument("channel", .int(1...16)),
        Argument("controller", .int(0...127)),
        Argument(
          "mode",
          .choice(["absolute", "14-bit", "relative-2c", "relative-binary", "relative-signed"]),
          optional: true),
      ],
      "Lets a MIDI controller drive an address."),
    .action(
      "/midi/unmap", [Argument("address", .text(limit: 256))],
      "Takes the controllers from an address."),
    .action("/midi/list", [], "Answers one line per mapping: address, channel, controller, mode."),
  ]

  private static let credits: [Address] = [
    .action(
      "/attribution/start", [Argument("take", .text(limit: 128))],
      "Asks continuo-worker whom a kept take owes most to; answers the job's number."),
    .action("/attribution/cancel", [Argument("job", .text(limit: 128))], "Ends a job."),
    .event(
      "/attribution/progress", "sff",
      "Job, how far it is, 0 … 1, and the seconds left, −1 while nobody knows."),
    .event(
      "/attribution/result", "ss",
      "Job and, as JSON, its state (done, failed or cancelled), take, report and first tracks."),
  ]
}
