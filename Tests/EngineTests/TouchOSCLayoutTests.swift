import CZlib
import Foundation
import FoundationXML
import Testing

@testable import Engine

/// What a layout sends, as an XML parser reads it.
private final class LayoutReader: NSObject, XMLParserDelegate {
  struct Node {
    var type: String
    var properties: [String: String] = [:]
    var sends = false
    var path = ""
    /// Conversion, value and scale of every argument.
    var arguments: [(type: String, conversion: String, value: String, from: String, to: String)] =
      []
  }
  var nodes: [Node] = []
  var version: String?
  private var open: [Node] = []
  private var elements: [String] = []
  private var text = ""
  private var key = ""
  private var fields: [String: String] = [:]

  func parser(
    _ parser: XMLParser, didStartElement element: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    elements.append(element)
    text = ""
    if element == "lexml" { version = attributes["version"] }
    if element == "node" { open.append(Node(type: attributes["type"] ?? "")) }
    if element == "partial" { fields = [:] }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

  func parser(
    _ parser: XMLParser, didEndElement element: String, namespaceURI: String?,
    qualifiedName: String?
  ) {
    elements.removeLast()
    let parent = elements.last
    defer { text = "" }
    switch (parent, element) {
    case ("property", "key"): key = text
    case ("property", "value"): open[open.count - 1].properties[key] = text
    case ("value", "x"), ("value", "y"), ("value", "w"), ("value", "h"):
      if elements.contains("property") {
        open[open.count - 1].properties["\(key).\(element)"] = text
      }
    case ("osc", "send"): open[open.count - 1].sends = text == "1"
    case ("partial", _): fields[element] = text
    case ("path", "partial"): open[open.count - 1].path += fields["value"] ?? ""
    case ("arguments", "partial"):
      open[open.count - 1].arguments.append(
        (
          fields["type"] ?? "", fields["conversion"] ?? "", fields["value"] ?? "",
          fields["scaleMin"] ?? "", fields["scaleMax"] ?? ""
        ))
    case (_, "node"): nodes.append(open.removeLast())
    default: break
    }
  }
}

@Suite("TouchOSC layout")
struct TouchOSCLayoutTests {
  private func read(_ data: Data) throws -> LayoutReader {
    var size: UInt = 4 << 20
    var inflated = [UInt8](repeating: 0, count: Int(size))
    let bytes = [UInt8](data)
    #expect(unsafe uncompress(&inflated, &size, bytes, UInt(bytes.count)) == Z_OK)
    let parser = XMLParser(data: Data(inflated.prefix(Int(size))))
    let reader = LayoutReader()
    parser.delegate = reader
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    return reader
  }

  @Test("is one zlib stream of well-formed XML, whose messages fit the address table")
  func messages() throws {
    let bundle = try PresetSamples.bundle()
    let surface = Surface(knobs: [PresetKnob(bundle: bundle, trait: bundle.manifest.traits[0])])
    let reader = try read(try TouchOSCLayout.data(surface, receivePort: 9001))
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
        #expect(Float(argument.from) == range.lowerBound && Float(argument.to) == range.upperBound)
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
    #expect(try read(first).nodes.count > 40)
  }
}
