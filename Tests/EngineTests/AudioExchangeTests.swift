import Foundation
import Synchronization
import Testing

@testable import Engine

@Suite struct AudioExchangeTests {
  @Test func nothingSoundsBeforeSomebodyAsks() {
    let exchange = AudioExchange(seconds: 1)
    #expect(exchange.joinFrame.load(ordering: .relaxed) == AudioExchange.never)
    #expect(exchange.leaveFrame.load(ordering: .relaxed) == AudioExchange.never)
    #expect(exchange.gain == 1 && exchange.dry == 1, "the live input passes as it is")
    #expect(exchange.fadeFrames.load(ordering: .relaxed) >= 1)
    #expect(exchange.underruns.load(ordering: .relaxed) == 0)
    #expect(exchange.input.filled == 0 && exchange.output.written == 0)
    #expect(exchange.midiIn.take() == 0 && exchange.midiOut.take() == 0)
  }

  @Test(arguments: [1, 3])
  func bothRingsHoldTheSecondsAtTheHighestRate(seconds: Int) {
    let exchange = AudioExchange(seconds: seconds)
    #expect(exchange.output.capacity >= seconds * 192_000)
    // The input ring keeps as much readable behind what the callback may be writing.
    let block = [Float](repeating: 1, count: AudioExchange.largestPeriod)
    unsafe block.withUnsafeBufferPointer { buffer in
      for number in 0..<seconds * 192_000 / block.count + 10 {
        unsafe exchange.input.write(
          buffer.baseAddress!, at: number * block.count, count: block.count)
      }
    }
    #expect(exchange.input.filled - exchange.input.oldest >= seconds * 192_000)
  }

  @Test func levelsAreTakenOverAsTheyAre() {
    let exchange = AudioExchange(seconds: 1)
    for level: Float in [0, 0.1, 1, 2, -0.0] {
      exchange.gain = level
      exchange.dry = 2 - level
      #expect(exchange.gain == level && exchange.targetGain() == level)
      #expect(exchange.dry == 2 - level && exchange.targetDry() == 2 - level)
    }
  }

  @Test func aLevelThatOneThreadWritesIsNeverHalfReadByAnother() {
    let exchange = AudioExchange(seconds: 1)
    let ends = Atomic<Bool>(false)
    let done = DispatchSemaphore(value: 0)
    // Bit patterns with nothing in common: a torn read would be neither.
    let (one, other) = (Float(bitPattern: 0x3F55_5555), Float(bitPattern: 0x3EAA_AAAA))
    exchange.gain = one
    Thread {
      while !ends.load(ordering: .relaxed) {
        exchange.gain = other
        exchange.gain = one
      }
      done.signal()
    }.start()
    var wrong = 0
    for _ in 0..<200_000 {
      let level = exchange.gain
      if level != one && level != other { wrong += 1 }
    }
    ends.store(true, ordering: .relaxed)
    done.wait()
    #expect(wrong == 0)
  }
}
