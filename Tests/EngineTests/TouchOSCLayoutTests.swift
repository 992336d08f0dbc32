import Foundation
import TestSupport
import Testing

@testable import Engine

@Suite("TouchOSC layout")
struct TouchOSCLayoutTests {
  @Test("is one zlib stream of well-formed XML, whose messages fit the address table")
  func messages() throws {
    let bundle = try PresetSamples.bundle()
    let surface = Surface(knobs: [PresetKnob(bundle: bundle, trait: bundle.manifest.traits[0])])
    let reader = try TouchOSCReader(TouchOSCLayout.data(surface, receivePort: 9001))
    #expect(reader.version == "3" && reader.nodes.last?.type == "GROUP")
    let sending = reader.nodes.filter(\.sends)
    // All but the text, for which TouchOSC has nothing to type into.
    let expected = surface.controls.filter { $0.sends && $0.address != "/prompt/text" }
    #expect(sending.map(\.path).sorted() == expected.map(\.address).sorted())
    for node in sending {
      let row = try #require(AddressTable.byAddress[node.path]?.row, "\(node.path)")
      if node.arguments.isEmpty {
        #expect(row.arguments.allSatisfy { $0.isOptional })
        continue
      }
      let argument = node.arguments[0]
      #expect(node.arguments.count == 1)
      switch row.arguments[0].kind {
      case .float(let range):
        #expect(argument.conversion == "FLOAT" && argument.value == "x")
        #expect(argument.from == range.lowerBound && argument.to == range.upperBound)
      case .toggle: #expect(argument.conversion == "INTEGER" && argument.value == "x")
      default:
        #expect(argument.type == "CONSTANT" && argument.conversion == "STRING")
        #expect(argument.value == "org.example.drums/drums")
      }
    }
    let names = reader.nodes.compactMap { $0.properties["name"] }
    #expect(names.count == reader.nodes.count && Set(names).count == names.count)
    let root = try #require(reader.nodes.last)
    #expect(root.properties["frame.w"] == "1024" && root.properties["frame.h"] == "768")
    let script = try #require(root.properties["script"])
    #expect(script.contains("'/subscribe'") && script.contains("value = 9001"))
    #expect(script.contains("now - asked < 20000"))
  }

  @Test("the same surface gives the same file, and a stranger's label stays text")
  func labels() throws {
    let bundle = try PresetSamples.bundle()
    var trait = bundle.manifest.traits[0]
    trait.label = "A & B </value> ]]>"
    let surface = Surface(knobs: [PresetKnob(bundle: bundle, trait: trait)])
    let first = try TouchOSCLayout.data(surface, receivePort: 9000)
    #expect(try first == TouchOSCLayout.data(surface, receivePort: 9000))
    #expect(try TouchOSCReader(first).nodes.count > 40)
  }
}
