// A surface as a layout of TouchOSC: XML in one zlib stream, a tree of nodes with properties, values and messages.
//
// Format: version 3 of the editor's documents, which every later one opens; the meaning of properties and
// messages is that of hexler's manual. A script of the root renews the subscription and shows what has
// no control of its own: meters, whose message has three numbers, and answers. TouchOSC has nothing to
// type into, so the text is shown and cannot be written there.

internal import CZlib
package import Foundation
import Reporting

/// Writes layouts.
package enum TouchOSCLayout {
  /// - Parameter receivePort: the port that TouchOSC listens on, where the daemon sends what it is subscribed to.
  package static func data(_ surface: Surface, receivePort: Int) throws -> Data {
    try compressed(Data(xml(surface, receivePort: receivePort).utf8))
  }

  /// The document before it is compressed.
  package static func xml(_ surface: Surface, receivePort: Int) -> String {
    let nodes = surface.controls.map(node).joined()
    let root = properties(
      name: "Continuo", frame: .init(x: 0, y: 0, width: Surface.width, height: Surface.height),
      color: "0 0 0", interactive: false, more: text("script", script(receivePort)))
    return "<?xml version='1.0' encoding='UTF-8'?>\n<lexml version='3'>"
      + "<node ID='\(identifier("Continuo"))' type='GROUP'>\(root)"
      + "<values>\(value("touch", "false"))</values><children>\(nodes)</children></node></lexml>\n"
  }

  private static func compressed(_ data: Data) throws -> Data {
    var size = compressBound(UInt(data.count))
    var result = [UInt8](repeating: 0, count: Int(size))
    let input = [UInt8](data)
    let status = unsafe compress2(&result, &size, input, UInt(input.count), Z_BEST_COMPRESSION)
    guard status == Z_OK else {
      throw ControlError.failed(
        problem: "zlib cannot compress the layout (status \(status))", remedy: "free some memory")
    }
    return Data(result.prefix(Int(size)))
  }

  // MARK: Nodes

  private static func node(_ control: SurfaceControl) -> String {
    switch control.kind {
    case .fader(let range, let initial):
      let share = (initial - range.lowerBound) / (range.upperBound - range.lowerBound)
      return fader(
        control, start: share, isMoved: true,
        messages: message(
          control.address, trigger: "ANY",
          [argument("VALUE", "FLOAT", "x", from: range.lowerBound, to: range.upperBound)]))
    case .meter: return fader(control, start: 0, isMoved: false, messages: "")
    case .toggle:
      return button(
        control, type: 1,
        messages: message(control.address, trigger: "ANY", [argument("VALUE", "INTEGER", "x")]))
    case .button(let given):
      return button(
        control, type: 0,
        messages: message(
          control.address, trigger: "RISE", receives: false,
          given.map { [argument("CONSTANT", "STRING", $0)] } ?? []))
    case .text where control.address.isEmpty || control.address == "/status":
      return label(control, text: control.label, messages: "")
    case .text, .entry:
      return label(
        control, text: control.label,
        messages: message(
          control.address, trigger: "ANY", sends: false, [argument("VALUE", "STRING", "text")]))
    }
  }

  private static func fader(
    _ control: SurfaceControl, start: Float, isMoved: Bool, messages: String
  ) -> String {
    let more =
      flag("bar", true) + number("barDisplay", 0) + flag("cursor", isMoved)
      + number("cursorDisplay", 0) + flag("grid", false) + number("gridSteps", 5)
      + number("response", 1) + number("responseFactor", 100)
    return "<node ID='\(identifier(control.name))' type='FADER'>"
      + properties(
        name: control.name, frame: control.frame, color: isMoved ? "0.95 0.6 0.1" : "0.2 0.7 0.4",
        interactive: isMoved, orientation: control.isHorizontal ? 1 : 0, more: more)
      + "<values>\(value("x", "\(start)"))\(value("touch", "false"))</values>\(messages)</node>"
  }

  /// A button, and a label on it: buttons have no text of their own.
  private static func button(_ control: SurfaceControl, type: Int, messages: String) -> String {
    let more =
      number("buttonType", type) + flag("press", true) + flag("release", true)
      + flag("valuePosition", false)
    return "<node ID='\(identifier(control.name))' type='BUTTON'>"
      + properties(
        name: control.name, frame: control.frame, color: "0.25 0.35 0.6", interactive: true,
        more: more)
      + "<values>\(value("x", "0"))\(value("touch", "false"))</values>\(messages)</node>"
      + label(
        SurfaceControl(
          name: control.name + "/label", address: "", label: control.label, kind: .text,
          frame: control.frame), text: control.label, messages: "")
  }

  private static func label(_ control: SurfaceControl, text shown: String, messages: String)
    -> String
  {
    let more =
      number("font", 0) + number("textAlignH", 2) + number("textAlignV", 2) + flag("textClip", true)
      + colour("textColor", "1 1 1") + number("textLength", 0) + number("textSize", 14)
    return "<node ID='\(identifier(control.name))' type='LABEL'>"
      + properties(
        name: control.name, frame: control.frame, color: "0.1 0.1 0.12", interactive: false,
        isFilled: !control.address.isEmpty, more: more)
      + "<values>\(value("text", shown))\(value("touch", "false"))</values>\(messages)</node>"
  }

  private static func properties(
    name: String, frame: SurfaceControl.Frame, color: String, interactive: Bool,
    orientation: Int = 0, isFilled: Bool = true, more: String
  ) -> String {
    let place = "<x>\(frame.x)</x><y>\(frame.y)</y><w>\(frame.width)</w><h>\(frame.height)</h>"
    return "<properties>" + flag("background", isFilled) + colour("color", color)
      + property("f", "cornerRadius", "2") + property("r", "frame", place)
      + flag("grabFocus", interactive) + flag("interactive", interactive) + flag("locked", false)
      + text("name", name) + number("orientation", orientation) + flag("outline", isFilled)
      + number("outlineStyle", 1) + number("pointerPriority", 0) + number("shape", 1)
      + flag("visible", true) + more + "</properties>"
  }

  // MARK: Messages

  private static func message(
    _ address: String, trigger: String, sends: Bool = true, receives: Bool = true,
    _ arguments: [String]
  ) -> String {
    let variable = sends ? "x" : "text"
    return "<messages><osc><enabled>1</enabled><send>\(sends ? 1 : 0)</send>"
      + "<receive>\(receives ? 1 : 0)</receive><feedback>0</feedback>"
      + "<connections>11111</connections><triggers><trigger><var>\(escaped(variable))</var>"
      + "<condition>\(trigger)</condition></trigger></triggers>"
      + "<path>\(argument("CONSTANT", "STRING", address))</path>"
      + "<arguments>\(arguments.joined())</arguments></osc></messages>"
  }

  private static func argument(
    _ type: String, _ conversion: String, _ value: String, from: Float = 0, to: Float = 1
  ) -> String {
    "<partial><type>\(type)</type><conversion>\(conversion)</conversion>"
      + "<value>\(escaped(value))</value><scaleMin>\(from)</scaleMin><scaleMax>\(to)</scaleMax></partial>"
  }

  // MARK: Properties and values

  private static func property(_ type: String, _ key: String, _ value: String) -> String {
    "<property type='\(type)'><key>\(key)</key><value>\(value)</value></property>"
  }
  private static func flag(_ key: String, _ value: Bool) -> String {
    property("b", key, value ? "1" : "0")
  }
  private static func number(_ key: String, _ value: Int) -> String {
    property("i", key, "\(value)")
  }
  private static func text(_ key: String, _ value: String) -> String {
    property("s", key, escaped(value))
  }
  /// - Parameter parts: red, green and blue, 0 … 1, with spaces between.
  private static func colour(_ key: String, _ parts: String) -> String {
    let part = parts.split(separator: " ")
    return property("c", key, "<r>\(part[0])</r><g>\(part[1])</g><b>\(part[2])</b><a>1</a>")
  }
  private static func value(_ key: String, _ start: String) -> String {
    "<value><key>\(key)</key><locked>0</locked><lockedDefaultCurrent>0</lockedDefaultCurrent>"
      + "<default>\(escaped(start))</default><defaultPull>0</defaultPull></value>"
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }

  /// The same for the same name: the same surface gives the same file.
  private static func identifier(_ name: String) -> String {
    let digits = Array(PresetFiles.digest(Data("continuo surface \(name)".utf8)).prefix(32))
    return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }
      .joined(separator: "-")
  }

  private static func script(_ receivePort: Int) -> String {
    """
    local asked = -60000

    function update()
      local now = getMillis()
      if now - asked < 20000 then return end
      asked = now
      sendOSC({'/subscribe', {{tag = 's', value = '/*'}, {tag = 'i', value = 60}, {tag = 'i', value = \(receivePort)}}})
      sendOSC('/status')
      sendOSC('/transport/state')
    end

    function onReceiveOSC(message, connections)
      local path, arguments = message[1], message[2]
      local slot = string.match(path, '^/knob/(%d)/meter$')
      if slot then
        for place = 0, 2 do
          local bar = self:findByName('knob/' .. slot .. '/meter/' .. place, true)
          if bar then bar.values.x = math.max(0, math.min(1, arguments[place + 1].value)) end
        end
        return true
      end
      if path == '/reply' and #arguments > 1 then
        local asked = arguments[1].value
        local shown = nil
        if asked == '/status' then shown = arguments[3].value .. ', ' .. arguments[8].value .. ' underruns' end
        if asked == '/transport/state' then shown = arguments[2].value end
        local place = self:findByName(string.sub(asked, 2), true)
        if shown and place then place.values.text = shown end
        return true
      end
      return false
    end
    """
  }
}
