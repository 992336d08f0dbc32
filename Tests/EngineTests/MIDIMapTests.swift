import Foundation
import Testing

@testable import Engine

@Suite struct MIDIMapTests {
  private func cc(_ controller: UInt32, _ value: UInt32, channel: UInt32 = 1) -> UInt32 {
    (0xB0 + channel - 1) << 16 | controller << 8 | value
  }

  @Test func absoluteControllersMoveAfterTheyHaveCaughtTheValue() {
    var map = MIDIMap([MIDIMapping(address: "/a", channel: 1, controller: 7)])
    #expect(map.receive(cc(7, 10)) { _ in 0.5 } == .nothing)
    #expect(map.receive(cc(7, 40)) { _ in 0.5 } == .nothing)
    #expect(map.receive(cc(7, 90)) { _ in 0.5 } == .move(address: "/a", share: 90 / 127.0))
    #expect(map.receive(cc(7, 0)) { _ in 0.7 } == .move(address: "/a", share: 0))
    #expect(map.receive(cc(7, 0, channel: 2)) { _ in 0.5 } == .nothing)
  }

  @Test func aValueMovedByOthersHasToBeCaughtAgainAndIsToldToTheFader() {
    var map = MIDIMap([MIDIMapping(address: "/a", channel: 1, controller: 7)])
    #expect(map.receive(cc(7, 64)) { _ in 0.5 } != .nothing)
    #expect(map.moved("/a", share: 1) == [cc(7, 127)])
    #expect(map.receive(cc(7, 60)) { _ in 1 } == .nothing)
  }

  @Test func fourteenBitsAreFinerThanSeven() {
    var map = MIDIMap([
      MIDIMapping(address: "/a", channel: 1, controller: 7, mode: .fourteenBit)
    ])
    #expect(map.receive(cc(39, 1)) { _ in 0 } == .nothing, "no coarse part yet")
    #expect(map.receive(cc(7, 0)) { _ in 0 } == .nothing)
    #expect(map.receive(cc(39, 3)) { _ in 0 } == .move(address: "/a", share: 3 / 16383.0))
    #expect(map.moved("/a", share: 1) == [cc(7, 127), cc(39, 127)])
  }

  @Test(arguments: [
    (MIDIMode.relativeTwosComplement, UInt32(1), UInt32(127)),
    (.relativeBinaryOffset, 65, 63), (.relativeSigned, 1, 65),
  ])
  func relativeKindsTickUpAndDown(mode: MIDIMode, up: UInt32, down: UInt32) {
    var map = MIDIMap([MIDIMapping(address: "/a", channel: 1, controller: 7, mode: mode)])
    #expect(map.receive(cc(7, up)) { _ in 0.5 } == .move(address: "/a", share: 0.5 + 1 / 128.0))
    #expect(map.receive(cc(7, down)) { _ in 0.5 } == .move(address: "/a", share: 0.5 - 1 / 128.0))
    #expect(map.receive(cc(7, down)) { _ in 0 } == .move(address: "/a", share: 0))
  }

  @Test func theNextControllerIsLearnedAndTheMapSurvivesAFile() throws {
    var map = MIDIMap()
    map.learn("/knob/1/strength")
    let mapping = MIDIMapping(address: "/knob/1/strength", channel: 3, controller: 20)
    #expect(map.receive(cc(20, 5, channel: 3)) { _ in 0 } == .learned(mapping))
    #expect(map.learning == nil)
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(
      "continuo-midi-\(UInt32.random(in: 0...UInt32.max)).json")
    defer { try? FileManager.default.removeItem(at: file) }
    try map.data.write(to: file)
    #expect(MIDIMap(contentsOf: file).mappings == [mapping])
    #expect(MIDIMap(contentsOf: URL(fileURLWithPath: "/nowhere")).mappings == [])
    #expect(map.unmap("/knob/1/strength") == true)
    #expect(map.unmap("/knob/1/strength") == false)
  }

  @Test func notesAndOthersAreIgnored() {
    var map = MIDIMap([MIDIMapping(address: "/a", channel: 1, controller: 7)])
    map.learn("/b")
    #expect(map.receive(0x90_0740) { _ in 0 } == .nothing)
    #expect(map.learning == "/b")
  }
}
