import Testing

@testable import Engine

@Suite struct AddressTableTests {
  @Test func everyAddressOfTheContractIsThere() {
    let contract = """
      /version /status /ping /sync /tree /dump /subscribe /unsubscribe /knob/8/strength /knob/1/norm
      /knob/1/direction /knob/1/method /knob/1/alpha /knob/1/period /knob/1/power /knob/1/monitors
      /knob/1/ramp /knob/1/mute /knob/1/solo /knob/1/name /knob/1/update_rule /knob/1/meter
      /knob/1/applied /knobs/zero /transport/listen /transport/continue /transport/restart
      /transport/stop /transport/state /prompt/text /prompt/load /prompt/seconds /prompt/clear
      /sampling/temperature /sampling/top_k /sampling/top_p /sampling/guidance /sampling/recall
      /sampling/seed
      /engine/lookahead /engine/gain /engine/dry /engine/rtf /engine/load /engine/xruns
      /engine/underruns /engine/latency /preset/list /preset/load /preset/unload /preset/info
      /preset/rescan /state/save /state/load /midi/learn /midi/map /midi/unmap /midi/list /take/keep
      /take/list /attribution/start /attribution/progress /attribution/result /attribution/cancel
      /quit /late
      """
    for address in contract.split(whereSeparator: \.isWhitespace) {
      #expect(AddressTable.byAddress[String(address)] != nil, "\(address)")
    }
  }

  @Test func rowsAreWellFormed() {
    var seen: Set<String> = []
    for row in AddressTable.rows {
      #expect(seen.insert(row.pattern).inserted, "\(row.pattern) stands twice")
      #expect(
        row.pattern.hasPrefix("/")
          && row.pattern.replacing("N", with: "n") == row.pattern.lowercased())
      #expect(row.sentence.hasSuffix("."), "\(row.pattern)")
      if row.role == .value {
        let initial = row.initial
        #expect(initial != nil)
        if let initial {
          let setting = try? ParameterStore.check(
            initial, as: row.arguments[0], address: row.pattern)
          #expect(setting == Setting(value: initial, wasClamped: false), "\(row.pattern)")
        }
      }
    }
  }
}
