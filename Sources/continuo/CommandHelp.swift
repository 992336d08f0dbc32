// What a program says about its own commands and options, as swift-argument-parser dumps it, and the manual page made of it.

import Foundation
import Reporting

/// The answer to --experimental-dump-help.
struct CommandHelp: Decodable {
  struct Name: Decodable {
    var kind: String
    var name: String

    /// As it is typed.
    var text: String { (kind == "long" ? "--" : "-") + name }
  }

  struct Argument: Decodable {
    var kind: String
    var shouldDisplay: Bool
    var isOptional: Bool
    var isRepeating: Bool
    var names: [Name]?
    var valueName: String?
    var defaultValue: String?
    var abstract: String?
    var discussion: String?

    /// What is typed: "--out <file>", "-h, --help", "<bundle> ...".
    var term: (bold: String, more: String) {
      let value = "<\(valueName ?? "value")>"
      let dots = isRepeating ? " ..." : ""
      guard kind != "positional" else { return ("", value + dots) }
      let all = (names ?? []).sorted { $0.text.count < $1.text.count }.map(\.text)
      return (all.joined(separator: ", "), kind == "flag" ? "" : value + dots)
    }

    /// What stands in the synopsis.
    var synopsis: String {
      let term = term
      let long = names?.first { $0.kind == "long" }?.text ?? term.bold
      let plain =
        kind == "positional" ? term.more : kind == "flag" ? long : "\(long) \(term.more)"
      return isOptional || kind == "flag" ? "[\(plain)]" : plain
    }

    var meaning: String {
      var parts = [abstract, discussion].compactMap { $0 }.filter { !$0.isEmpty }
      if let defaultValue, !defaultValue.isEmpty, kind != "flag" {
        parts.append("(default: \(defaultValue))")
      }
      return parts.joined(separator: " ")
    }
  }

  struct Command: Decodable {
    var commandName: String
    var abstract: String?
    var discussion: String?
    var shouldDisplay: Bool
    var arguments: [Argument]?
    var subcommands: [Command]?
  }

  var serializationVersion: Int
  var command: Command

  /// The program's page in section 1.
  /// - Parameter more: sections that the help does not have, between the commands and the exit status.
  func page(version: String, more: [(title: String, text: String)], seeAlso: [String]) -> ManualPage
  {
    var page = ManualPage(
      name: command.commandName, section: 1, version: version,
      abstract: Self.withoutStop(command.abstract ?? ""))
    page.section("Synopsis")
    page.text("  " + Self.synopsis(of: command, path: command.commandName))
    page.section("Description")
    page.text(
      command.discussion?.isEmpty == false ? command.discussion ?? "" : command.abstract ?? "")
    Self.options(of: command, page: &page, heading: { $0.section("Options") })
    let commands = Self.displayed(command.subcommands)
    if !commands.isEmpty {
      page.section("Commands")
      for child in commands { Self.describe(child, path: command.commandName, page: &page) }
    }
    for section in more {
      page.section(section.title)
      page.text(section.text)
    }
    page.section("Exit status")
    page.text(
      "0 when all is well; else the codes of sysexits.h: 64 the command line, 65 the data, 66 no such input, "
        + "69 something is not there, 73 the output cannot be created, 74 reading or writing failed "
        + "half way. An error is one line: what is wrong; what to do about it.")
    page.section("See also")
    page.text(seeAlso.joined(separator: ", "))
    return page
  }

  private static func describe(_ command: Command, path: String, page: inout ManualPage) {
    let path = "\(path) \(command.commandName)"
    page.subsection(path)
    page.text(command.abstract ?? "")
    let children = displayed(command.subcommands)
    if !(command.arguments ?? []).filter({ $0.shouldDisplay }).isEmpty, children.isEmpty {
      page.text("  " + synopsis(of: command, path: path))
    }
    if let discussion = command.discussion, !discussion.isEmpty { page.text("\n" + discussion) }
    options(of: command, page: &page, heading: { _ in })
    for child in children { describe(child, path: path, page: &page) }
  }

  private static func options(
    of command: Command, page: inout ManualPage, heading: (inout ManualPage) -> Void
  ) {
    // Help and version are the same everywhere.
    let own = (command.arguments ?? []).filter { argument in
      argument.shouldDisplay
        && !(argument.names ?? []).contains { ["help", "version"].contains($0.name) }
    }
    guard !own.isEmpty else { return }
    heading(&page)
    for argument in own {
      let term = argument.term
      page.item(term.bold, term.more, means: argument.meaning)
    }
  }

  private static func synopsis(of command: Command, path: String) -> String {
    let children = displayed(command.subcommands)
    if !children.isEmpty { return "\(path) <command> [<argument> ...]" }
    let own = (command.arguments ?? []).filter { argument in
      argument.shouldDisplay
        && !(argument.names ?? []).contains { ["help", "version"].contains($0.name) }
    }
    let places = own.filter { $0.kind == "positional" }.map(\.synopsis)
    let named = own.filter { $0.kind != "positional" }
    let required = named.filter { !$0.synopsis.hasPrefix("[") }.map(\.synopsis)
    let optional = named.filter { $0.synopsis.hasPrefix("[") }.map(\.synopsis)
    // More than fits into a line is told below.
    let shown = optional.count > 4 ? ["[<option> ...]"] : optional
    return ([path] + required + shown + places).joined(separator: " ")
  }

  private static func displayed(_ commands: [Command]?) -> [Command] {
    (commands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
  }

  private static func withoutStop(_ text: String) -> String {
    text.hasSuffix(".") ? String(text.dropLast()) : text
  }
}
