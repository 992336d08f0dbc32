import Testing

@testable import Engine

@Suite struct ParameterStoreTests {
  @Test func numbersOfEveryTypeAreTaken() throws {
    var store = ParameterStore()
    for value in [OSCValue.int(1), .int64(1), .float(1), .double(1), .bool(true)] {
      #expect(try store.set("/knob/1/strength", value).value == .float(1))
    }
    #expect(try store.set("/knob/1/period", .float(2.6)).value == .int(3))
  }

  @Test func aValueMayBeginElsewhereThanInTheTable() throws {
    var store = ParameterStore()
    #expect(store.initial("/sampling/recall") == .float(0))
    try store.begin("/sampling/recall", with: .float(30))
    #expect(store.initial("/sampling/recall") == .float(20), "within its range")
    #expect(store["/sampling/recall"] == .float(20) && store.saved.isEmpty)
    _ = try store.set("/sampling/recall", .float(0))
    #expect(store.saved.map(\.address) == ["/sampling/recall"])
    #expect(throws: ControlError.self) { try store.begin("/sampling/none", with: .float(1)) }
    #expect(throws: ControlError.self) { try store.begin("/sampling/recall", with: .string("x")) }
  }

  @Test func outOfRangeIsClampedAndSaid() throws {
    var store = ParameterStore()
    #expect(
      try store.set("/knob/1/strength", .float(9)) == Setting(value: .float(2), wasClamped: true))
    #expect(try store.set("/knob/1/period", .int(0)) == Setting(value: .int(1), wasClamped: true))
    #expect(
      try store.set("/sampling/seed", .int64(1 << 40))
        == Setting(value: .int(.max), wasClamped: true))
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func whatIsNotFiniteIsRefusedAndChangesNothing(bad: Float) {
    var store = ParameterStore()
    #expect(throws: ControlError.notFinite(address: "/engine/gain")) {
      try store.set("/engine/gain", .float(bad))
    }
    #expect(throws: ControlError.notFinite(address: "/knob/1/mute")) {
      try store.set("/knob/1/mute", .double(Double(bad)))
    }
    #expect(store["/engine/gain"] == .float(1))
  }

  @Test func textsAndNumbersAreNotMixed() {
    var store = ParameterStore()
    #expect(throws: ControlError.self) { try store.set("/engine/gain", .string("1")) }
    #expect(throws: ControlError.self) { try store.set("/prompt/text", .int(1)) }
    #expect(throws: ControlError.self) { try store.set("/knob/1/method", .string("magic")) }
    #expect(throws: ControlError.self) {
      try store.set("/prompt/text", .string(String(repeating: "x", count: 1025)))
    }
  }

  @Test func strengthAndNormAreTwoFacesOfOneValue() throws {
    var store = ParameterStore()
    _ = try store.set("/knob/2/norm", .float(0.75))
    #expect(store["/knob/2/strength"] == .float(1))
    _ = try store.set("/knob/2/strength", .float(-2))
    #expect(store["/knob/2/norm"] == .float(0))
  }

  @Test func onlyWhatDiffersFromTheStartIsSaved() throws {
    var store = ParameterStore()
    #expect(store.saved.isEmpty)
    _ = try store.set("/knob/2/strength", .float(1))
    _ = try store.set("/engine/gain", .float(1))
    #expect(store.saved.map(\.address) == ["/knob/2/strength"])
  }
}
