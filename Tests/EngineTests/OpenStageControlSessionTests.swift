import Foundation
import Testing

@testable import Engine

/// The parts of a session that a player's hands reach.
private struct Session: Decodable {
  struct Widget: Decodable {
    struct Range: Decodable {
      var min: Float
      var max: Float
    }
    var type: String
    var id: String
    var address: String?
    var bypass: Bool?
    var mode: String?
    var typeTags: String?
    var range: Range?
    var left: String?
    var width: String?
    var target: String?
    var onCreate: String?
    var onValue: String?
    var widgets: [Widget]?
  }
  var createdWith: String
  var version: String
  var type: String
  var content: Widget
}

@Suite("Open Stage Control session")
struct OpenStageControlSessionTests {
  private func session(_ knobs: [PresetKnob]) throws -> Session {
    try JSONDecoder().decode(
      Session.self,
      from: OpenStageControlSession.data(Surface(knobs: knobs), target: "127.0.0.1:9770"))
  }

  @Test("is a session with one widget per control, whose types and ranges are the table's")
  func widgets() throws {
    let bundle = try PresetSamples.bundle()
    let knobs = [PresetKnob(bundle: bundle, trait: bundle.manifest.traits[0])]
    let session = try session(knobs)
    #expect(session.createdWith == "Open Stage Control" && session.type == "session")
    #expect(session.content.type == "root" && session.content.id == "root")
    let widgets = try #require(session.content.widgets)
    #expect(Set(widgets.map(\.id)).count == widgets.count)
    let known: Set = ["fader", "button", "input", "text", "variable"]
    #expect(widgets.allSatisfy { known.contains($0.type) })
    let sending = widgets.filter { $0.bypass != true }
    let expected = Surface(knobs: knobs).controls.filter { $0.sends }
    #expect(sending.compactMap(\.address).sorted() == expected.map(\.address).sorted())
    for widget in sending {
      let address = try #require(widget.address)
      let row = try #require(AddressTable.byAddress[address]?.row, "\(address)")
      #expect(widget.target == "127.0.0.1:9770")
      if widget.mode == "momentary" {
        #expect(row.arguments.allSatisfy { $0.isOptional })
        continue
      }
      #expect(widget.typeTags == row.arguments[0].kind.tag)
      if case .float(let range) = row.arguments[0].kind {
        #expect(widget.range?.min == range.lowerBound && widget.range?.max == range.upperBound)
      }
      #expect(widget.left?.hasSuffix("%") == true && widget.width?.hasSuffix("%") == true)
    }
    #expect(sending.contains { $0.id == "knob/1/strength" && $0.type == "fader" })
    #expect(sending.contains { $0.address == "/prompt/text" && $0.type == "input" })
  }

  @Test("renews its subscription before it ends, and hears meters and answers")
  func scripts() throws {
    let session = try session([])
    let script = try #require(session.content.onCreate)
    #expect(script.contains("'/subscribe'") && script.contains("setInterval"))
    let widgets = try #require(session.content.widgets)
    for slot in 1...8 {
      let ear = try #require(widgets.first { $0.id == "knob/\(slot)/meter" })
      #expect(ear.address == "/knob/\(slot)/meter" && ear.bypass == true)
      #expect(widgets.contains { $0.id == "knob/\(slot)/meter/0" })
      #expect(ear.onValue?.contains("knob/\(slot)/meter/2") == true)
    }
    #expect(widgets.contains { $0.address == "/reply" && $0.onValue != nil })
    // Every address that a script names is one.
    for match in script.matches(of: /'(\/[a-z_\/0-9]+)'/) {
      #expect(AddressTable.byAddress[String(match.1)] != nil, "\(match.1)")
    }
  }
}
