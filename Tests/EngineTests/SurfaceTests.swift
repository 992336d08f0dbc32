import Foundation
import Testing

@testable import Engine

@Suite("Control surface")
struct SurfaceTests {
  private func knobs(_ count: Int, label: String = "Drums") throws -> [PresetKnob] {
    try (0..<count).map { index in
      let bundle = try PresetSamples.bundle(id: "org.example.k\(index)")
      var trait = bundle.manifest.traits[0]
      trait.label = label
      return PresetKnob(bundle: bundle, trait: trait)
    }
  }

  @Test(
    "everything on it is in the address table, with the table's range", arguments: [0, 1, 3, 8])
  func fitting(count: Int) throws {
    let surface = Surface(knobs: try knobs(count))
    #expect(surface.slots == (count == 0 ? 8 : count))
    for control in surface.controls where !control.address.isEmpty {
      let row = try #require(AddressTable.byAddress[control.address]?.row)
      switch (control.kind, row.arguments.first?.kind) {
      case (.fader(let range, let initial), .float(let allowed)):
        #expect(range == allowed && range.contains(initial))
      case (.toggle, .toggle), (.entry, .text), (.button(_?), .text): break
      case (.button(nil), _): #expect(row.arguments.allSatisfy { $0.isOptional })
      case (.text, _): #expect(row.role == .reading || row.role == .event)
      case (.meter(let place), _): #expect(Array(row.carries).indices.contains(place))
      default: Issue.record("\(control.address) is of another kind in the table")
      }
    }
  }

  @Test(
    "nothing lies over anything else, nothing outside, no name twice", arguments: [0, 1, 5, 8, 11])
  func places(count: Int) throws {
    let controls = Surface(knobs: try knobs(count)).controls
    #expect(Set(controls.map(\.name)).count == controls.count)
    for (index, control) in controls.enumerated() {
      let a = control.frame
      #expect(a.x >= 0 && a.y >= 0 && a.width > 8 && a.height > 8)
      #expect(a.x + a.width <= Surface.width && a.y + a.height <= Surface.height)
      for other in controls[..<index] {
        let b = other.frame
        let isApart =
          a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y
          || b.y + b.height <= a.y
        #expect(isApart, "\(control.name) lies on \(other.name)")
      }
    }
  }

  @Test("a knob's name puts its trait on its slot, and means nothing to a program that reads it")
  func names() throws {
    let surface = Surface(knobs: try knobs(2, label: "JS{{evil()}} <b>#{1}^play'\"\\"))
    let button = try #require(surface.controls.first { $0.address == "/knob/2/direction" })
    #expect(button.kind == .button(argument: "org.example.k1/drums"))
    #expect(button.label == "JSevil() b#1play")
  }

  @Test("a hardware controller gets suggested control changes, or eight in a row")
  func midi() throws {
    var some = try knobs(3)
    var trait = some[1].trait
    trait.control = PresetTrait.Control(controller: 22, channel: 3)
    some[1] = PresetKnob(bundle: some[1].bundle, trait: trait)
    some[2] = PresetKnob(bundle: some[2].bundle, trait: trait)
    let map = Surface(knobs: some).midiMap(channel: 1, first: 70)
    #expect(
      map.mappings == [
        MIDIMapping(address: "/knob/1/strength", channel: 1, controller: 70),
        MIDIMapping(address: "/knob/2/strength", channel: 3, controller: 22),
        MIDIMapping(address: "/knob/3/strength", channel: 1, controller: 72),
      ])
    #expect(
      Surface(knobs: []).midiMap(channel: 2, first: 16).mappings.map(\.controller) == Array(16...23)
    )
  }
}
