// A surface as a session of Open Stage Control: JSON, one widget per control.
//
// Format: version 1 of the program (openstagecontrol.ammd.net, "Properties reference" and "Scripting"); the
// version written here is newer than the last one whose sessions its loader converts. Two scripts: the
// root renews the subscription and asks for what is shown, and the variable at /reply hands answers to the
// widgets, whose ids are their addresses without the first slash.

package import Foundation

/// Writes sessions.
package enum OpenStageControlSession {
  /// - Parameter target: where the daemon listens, "host:port".
  package static func data(_ surface: Surface, target: String) throws -> Data {
    var widgets = surface.controls.map { widget($0, target) }
    for slot in 1...surface.slots {
      widgets.append([
        "type": "variable", "id": "knob/\(slot)/meter", "address": "/knob/\(slot)/meter",
        "bypass": true,
        "onValue":
          "if (Array.isArray(value)) { set('knob/\(slot)/meter/0', value[0], {external: true}); "
          + "set('knob/\(slot)/meter/2', value[2], {external: true}) }",
      ])
    }
    widgets.append([
      "type": "variable", "id": "reply", "address": "/reply", "bypass": true, "onValue": answers,
    ])
    let session: [String: Any] = [
      "createdWith": "Open Stage Control", "version": "1.26.0", "type": "session",
      "content": [
        "type": "root", "id": "root", "bypass": true, "width": "100%", "height": "100%",
        "onCreate": questions(surface, target), "widgets": widgets, "tabs": [Any](),
      ] as [String: Any],
    ]
    return try JSONSerialization.data(
      withJSONObject: session, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
  }

  private static func widget(_ control: SurfaceControl, _ target: String) -> [String: Any] {
    func percent(_ part: Int, of whole: Int) -> String {
      String(format: "%.3f%%", Double(part) * 100 / Double(whole))
    }
    let frame = control.frame
    var widget: [String: Any] = [
      "id": control.name, "address": control.address, "target": target,
      "left": percent(frame.x, of: Surface.width), "top": percent(frame.y, of: Surface.height),
      "width": percent(frame.width, of: Surface.width),
      "height": percent(frame.height, of: Surface.height),
    ]
    func add(_ more: [String: Any]) { widget.merge(more) { $1 } }
    switch control.kind {
    case .fader(let range, let initial):
      add([
        "type": "fader", "horizontal": control.isHorizontal, "typeTags": "f", "decimals": 3,
        "range": ["min": number(range.lowerBound), "max": number(range.upperBound)],
        "default": number(initial), "origin": number(range.contains(0) ? 0 : range.lowerBound),
        "doubleTap": true, "design": "compact",
      ])
    case .toggle:
      add([
        "type": "button", "mode": "toggle", "on": 1, "off": 0, "typeTags": "i",
        "label": control.label,
      ])
    case .button(nil):
      add(["type": "button", "mode": "momentary", "label": control.label])
    case .button(let argument?):
      add([
        "type": "button", "mode": "tap", "on": argument, "typeTags": "s", "label": control.label,
      ])
    case .entry(let limit):
      add(["type": "input", "typeTags": "s", "maxLength": limit])
    case .text:
      add(["type": "text", "bypass": true, "default": control.label])
    case .meter:
      add([
        "type": "fader", "design": "compact", "interaction": false, "bypass": true,
        "range": ["min": 0, "max": 1], "address": "auto",
      ])
    }
    return widget
  }

  /// Numbers as a person would write them: 0.25, not 0.25000000001.
  private static func number(_ value: Float) -> NSNumber {
    NSDecimalNumber(string: "\(value)")
  }

  /// Values are asked for once, when the surface opens, the state every two seconds.
  private static func questions(_ surface: Surface, _ target: String) -> String {
    let values = surface.controls.filter { control in
      switch control.kind {
      case .fader, .toggle, .entry: true
      default: control.address == "/transport/state"
      }
    }
    let asked = values.map { "send('\(target)', '\($0.address)')" }
    return """
      var listen = function() {
        send('\(target)', '/subscribe', {type: 's', value: '/*'}, {type: 'i', value: 60})
      }
      listen()
      setInterval('listen', listen, 20000)
      setInterval('status', function() { send('\(target)', '/status') }, 2000)
      \(asked.joined(separator: "\n"))
      """
  }

  /// `/reply path value …`: into the widget of that path.
  private static let answers = """
    if (Array.isArray(value) && value.length > 1) {
      if (value[0] === '/status') {
        set('status', value[2] + ', ' + value[4].toFixed(2) + ' x real time, ' + value[7] + ' underruns', {external: true})
      } else {
        set(value[0].slice(1), value[1], {external: true})
      }
    }
    """
}
