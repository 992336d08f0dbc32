import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Engine

/// An office that writes down what it is asked.
private final class Office: CreditOffice {
  let asked = Mutex<[String]>([])
  let refusal: ControlError?

  init(refusal: ControlError? = nil) { self.refusal = refusal }

  func start(take: URL, replyPort: UInt16) throws -> String {
    asked.withLock { $0.append("start \(take.path) \(replyPort)") }
    if let refusal { throw refusal }
    return "17"
  }

  func cancel(job: String) throws {
    asked.withLock { $0.append("cancel \(job)") }
    guard job == "17" else { throw ControlError.noSuch(what: "job", name: job) }
  }
}

@Suite(.serialized) struct LiveHostCreditsTests {
  /// A desk with an office and a take named “first”.
  private func desk(_ office: Office? = Office()) throws -> LiveDesk {
    let desk = try LiveDesk()
    desk.host.credits = office
    let take = desk.host.takesFolder.appendingPathComponent("first")
    try FileManager.default.createDirectory(at: take, withIntermediateDirectories: true)
    try Data("{}".utf8).write(to: take.appendingPathComponent("take.json"))
    return desk
  }

  private func problem(_ message: OSCMessage?) -> String {
    message?.path == "/error"
      ? message?.arguments.last?.text ?? "" : "\(String(describing: message))"
  }

  @Test func aKeptTakeIsHandedOverAndTheJobAnswered() throws {
    let office = Office()
    let desk = try desk(office)
    let answer = desk.ask("/attribution/start", [.string("first")])
    #expect(answer == OSCMessage("/reply", [.string("/attribution/start"), .string("17")]))
    let take = desk.host.takesFolder.appendingPathComponent("first").path
    #expect(office.asked.withLock { $0 } == ["start \(take) \(desk.server.socket.port)"])
    #expect(desk.host.jobsWaiting.keys.sorted() == ["17"])
  }

  @Test func whatCannotBeAttributedIsTold() throws {
    let desk = try desk()
    for (name, words) in [
      ("../first", "is no name"), ("second", "no take named second"), ("", "is no name"),
    ] {
      #expect(problem(desk.ask("/attribution/start", [.string(name)])).contains(words))
    }
    desk.host.takesBeingWritten.insert("first")
    #expect(
      problem(desk.ask("/attribution/start", [.string("first")])).contains("still being written"))
    let without = try self.desk(nil)
    for address in ["/attribution/start", "/attribution/cancel"] {
      #expect(problem(without.ask(address, [.string("first")])).contains("no job store"))
    }
  }

  @Test func whatTheOfficeSaysReachesTheSender() throws {
    let refusal = ControlError.failed(problem: "there is no catalogue", remedy: "build one")
    let desk = try desk(Office(refusal: refusal))
    let answer = desk.ask("/attribution/start", [.string("first")])
    #expect(problem(answer).contains("there is no catalogue"))
    #expect(desk.host.jobsWaiting.isEmpty, "no job to look after")
  }

  @Test func aJobIsEndedAndItsSubscribersAreTold() throws {
    let desk = try desk()
    _ = desk.ask("/subscribe", [.string("/attribution/*"), .int(60)])
    _ = desk.ask("/attribution/start", [.string("first")])
    #expect(problem(desk.ask("/attribution/cancel", [.string("18")])).contains("no job named 18"))
    #expect(desk.host.jobsWaiting["17"] != nil)
    #expect(
      desk.ask("/attribution/cancel", [.string("17")])
        == OSCMessage("/reply", [.string("/attribution/cancel"), .string("ok")]))
    let told = desk.heard("/attribution/result") { $0.first == .string("17") }
    #expect(told?.last == .string(#"{"state":"cancelled"}"#))
    #expect(desk.host.jobsWaiting.isEmpty)
  }

  @Test func progressAndResultOfTheWorkerArePassedOn() throws {
    let desk = try desk()
    _ = desk.ask("/subscribe", [.string("/attribution/*"), .int(60)])
    _ = desk.ask("/subscribe", [.string("/engine/notice"), .int(60)])
    desk.host.jobsWaiting["17"] = .now + .seconds(60)
    let progress: [OSCValue] = [.string("17"), .float(0.25), .float(12)]
    desk.send("/attribution/progress", progress)
    #expect(desk.heard("/attribution/progress") == progress)
    #expect(desk.host.jobsWaiting.isEmpty, "somebody works on it")
    let json = #"""
      {"state":"done","take":"first","tracks":[
        {"id":"a","title":"One","artist":"Ann"},{"id":"b","title":"","artist":""},
        {"id":"c","title":"Three","artist":""},{"id":"d","title":"Four","artist":"Dan"}]}
      """#
    desk.send("/attribution/result", [.string("17"), .string(json)])
    #expect(desk.heard("/attribution/result") == [.string("17"), .string(json)])
    #expect(
      desk.notice("owes") == "first owes most to “One” by Ann, then “b”, then “Three”",
      "the first three")
  }

  @Test func aResultWithoutTracksSaysWhyAndBrokenTextSaysNothing() throws {
    let desk = try desk()
    _ = desk.ask("/subscribe", [.string("/*"), .int(60)])
    let failed = #"{"state":"failed","message":"the disk is full","take":"first"}"#
    desk.send("/attribution/result", [.string("17"), .string(failed)])
    #expect(desk.notice("first:") == "first: the disk is full")
    desk.send("/attribution/result", [.string("17"), .string(#"{"state":"failed"}"#)])
    #expect(desk.notice("the take") == "the take: failed")
    desk.send("/attribution/result", [.string("18"), .string("{")])
    #expect(desk.heard("/attribution/result") { $0.first == .string("18") } != nil)
    #expect(desk.waiting("/engine/notice").isEmpty)
  }

  @Test func messagesOfOtherShapesAreNoWorkers() throws {
    let desk = try desk()
    for (path, arguments) in [
      ("/attribution/progress", [OSCValue.string("17")]),
      ("/attribution/progress", [.string("17"), .int(1), .float(2)]),
      ("/attribution/result", [.string("17"), .int(1)]),
    ] {
      #expect(problem(desk.ask(path, arguments)).contains("only sent by the daemon"))
    }
    let stranger = OSCPeer(host: "192.0.2.7", port: 9)
    let message = OSCMessage("/attribution/result", [.string("17"), .string("{}")])
    #expect(!desk.host.passOn(message, from: stranger), "only this machine is believed")
  }

  @Test func aJobThatNobodyBeginsIsToldOnce() throws {
    let desk = try desk()
    _ = desk.ask("/subscribe", [.string("/engine/notice"), .int(60)])
    desk.host.jobsWaiting = ["17": .now, "18": .now + .seconds(600)]
    #expect(desk.notice("job 17 waits") != nil)
    #expect(desk.host.jobsWaiting.keys.sorted() == ["18"])
    desk.turn()
    #expect(desk.waiting("/engine/notice").isEmpty)
  }
}
