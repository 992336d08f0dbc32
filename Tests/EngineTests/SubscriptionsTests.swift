import Testing

@testable import Engine

@Suite struct SubscriptionsTests {
  private let tablet = OSCPeer(host: "127.0.0.1", port: 50000)
  private let desk = OSCPeer(host: "127.0.0.1", port: 50001)

  @Test func theSenderIsLeftOutAndEveryoneIsToldOnce() throws {
    var subscriptions = Subscriptions()
    try subscriptions.subscribe(tablet, pattern: "/knob/*", until: 10, replyPort: nil)
    try subscriptions.subscribe(tablet, pattern: "/*", until: 10, replyPort: nil)
    try subscriptions.subscribe(desk, pattern: "/engine", until: 10, replyPort: nil)
    #expect(subscriptions.listeners(of: "/knob/1/strength", except: nil) == [tablet])
    #expect(subscriptions.listeners(of: "/knob/1/strength", except: tablet) == [])
    #expect(subscriptions.listeners(of: "/engine/gain", except: nil) == [tablet, desk])
  }

  @Test func leasesEndAndCanBeRenewed() throws {
    var subscriptions = Subscriptions()
    try subscriptions.subscribe(tablet, pattern: "/*", until: 10, replyPort: nil)
    try subscriptions.subscribe(tablet, pattern: "/*", until: 20, replyPort: nil)
    #expect(subscriptions.count == 1)
    subscriptions.expire(at: 15)
    #expect(subscriptions.count == 1)
    subscriptions.expire(at: 20)
    #expect(subscriptions.count == 0)
  }

  @Test func aTabletHearsOnThePortItNamed() throws {
    var subscriptions = Subscriptions()
    try subscriptions.subscribe(tablet, pattern: "/*", until: 10, replyPort: 9000)
    let other = OSCPeer(host: "127.0.0.1", port: 9000)
    #expect(subscriptions.listeners(of: "/late", except: nil) == [other])
    #expect(subscriptions.replyTarget(of: tablet) == other)
    subscriptions.unsubscribe(tablet)
    #expect(subscriptions.replyTarget(of: tablet) == tablet)
  }

  @Test func thereIsALimit() throws {
    var subscriptions = Subscriptions()
    for port in 1...300 {
      try subscriptions.subscribe(
        OSCPeer(host: "127.0.0.1", port: UInt16(port)), pattern: "/*", until: 10, replyPort: nil)
    }
    #expect(subscriptions.count == Subscriptions.limit)
  }
}
