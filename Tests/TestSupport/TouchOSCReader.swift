// A layout of TouchOSC as zlib and an XML parser read it.

internal import CZlib
package import Engine
package import Foundation
internal import FoundationXML

/// Nodes with what they send.
package struct TouchOSCReader {
  package struct Argument {
    package var type = ""
    package var conversion = ""
    package var value = ""
    package var from: Float = 0
    package var to: Float = 1
  }

  package struct Node {
    package var type: String
    package var properties: [String: String] = [:]
    package var sends = false
    package var path = ""
    package var arguments: [Argument] = []

    /// What it sends at both ends of its way.
    package var messages: [OSCMessage] {
      guard sends else { return [] }
      guard let argument = arguments.first else { return [OSCMessage(path)] }
      switch (argument.type, argument.conversion) {
      case ("VALUE", "FLOAT"):
        return [argument.from, argument.to].map { OSCMessage(path, [.float($0)]) }
      case ("VALUE", "INTEGER"):
        return [argument.from, argument.to].map { OSCMessage(path, [.int(Int32($0))]) }
      default: return [OSCMessage(path, [.string(argument.value)])]
      }
    }
  }

  /// Every node behind its children; the last one is the whole page.
  package let nodes: [Node]
  /// Of the document's format.
  package let version: String?

  package struct Broken: Error, CustomStringConvertible {
    package let description: String
  }

  /// - Throws: `Broken` when it is no zlib stream, or no well-formed XML in one.
  package init(_ data: Data) throws {
    var size: UInt = 4 << 20
    var inflated = [UInt8](repeating: 0, count: Int(size))
    let bytes = [UInt8](data)
    let status = unsafe uncompress(&inflated, &size, bytes, UInt(bytes.count))
    guard status == Z_OK else { throw Broken(description: "zlib says \(status)") }
    let parser = XMLParser(data: Data(inflated.prefix(Int(size))))
    let listener = Listener()
    parser.delegate = listener
    guard parser.parse() else {
      throw Broken(description: String(describing: parser.parserError))
    }
    nodes = listener.nodes
    version = listener.version
  }

  private final class Listener: NSObject, XMLParserDelegate {
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
      defer { text = "" }
      switch (elements.last, element) {
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
          Argument(
            type: fields["type"] ?? "", conversion: fields["conversion"] ?? "",
            value: fields["value"] ?? "", from: fields["scaleMin"].flatMap { Float($0) } ?? .nan,
            to: fields["scaleMax"].flatMap { Float($0) } ?? .nan))
      case (_, "node"): nodes.append(open.removeLast())
      default: break
      }
    }
  }
}
