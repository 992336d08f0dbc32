// The audio thread: copies, counts and fades, and nothing else.
//
// Every function here is checked by the compiler (`@_noLocks`): no lock, no allocation, no reference
// counting, no call into C that is not marked real-time safe in `CJACK/shim.h`. They are free functions
// in a file of their own, because C callbacks written as closures trap when a foreign thread calls them.

internal import CJACK
import Synchronization

/// JACK's process callback; `argument` is an unretained `AudioExchange`.
@_noLocks func audioProcess(_ frames: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
  guard let argument = unsafe argument else { return 0 }
  continuo_realtime_enter()
  let began = continuo_realtime_nanoseconds()
  unsafe Unmanaged<AudioExchange>.fromOpaque(argument)._withUnsafeGuaranteedRef { exchange in
    unsafe runPeriod(Int(frames), exchange, exchange.callback)
    let spent = Int(continuo_realtime_nanoseconds() &- began)
    exchange.callbackTime.wrappingAdd(spent, ordering: .relaxed)
    // Plain conditions: an `&&` would capture the exchange in a closure and count references.
    let longest = exchange.longestCallback.load(ordering: .relaxed)
    let wheeling = exchange.freewheel.load(ordering: .relaxed)
    if wheeling == 0 && spent > longest {
      exchange.longestCallback.store(spent, ordering: .relaxed)
    }
    exchange.period.store(Int(frames), ordering: .relaxed)
    exchange.periods.wrappingAdd(1, ordering: .releasing)
  }
  continuo_realtime_exit()
  return 0
}

/// One period: where it lies in time, input to its ring, sound from the other, MIDI both ways.
@_noLocks private func runPeriod(
  _ count: Int, _ exchange: AudioExchange, _ state: UnsafeMutablePointer<CallbackState>
) {
  guard count > 0, let client = unsafe state.pointee.client,
    let inputPort = unsafe state.pointee.input, let leftPort = unsafe state.pointee.left,
    let rightPort = unsafe state.pointee.right
  else { return }

  // The server's clock decides where this period lies; skipped periods are skipped here too.
  let stamp = unsafe continuo_realtime_frame_time(client)
  var advance = unsafe state.pointee.lastCount
  if unsafe state.pointee.hasStamp {
    let passed = Int(unsafe stamp &- state.pointee.lastStamp)
    if passed > advance && passed < 10_000_000 { advance = passed }
  }
  unsafe state.pointee.head = state.pointee.head &+ advance
  unsafe state.pointee.hasStamp = true
  unsafe state.pointee.lastStamp = stamp
  unsafe state.pointee.lastCount = count
  let head = unsafe state.pointee.head
  exchange.serverOffset.store(Int(stamp) &- head, ordering: .relaxed)
  exchange.headTime.store(Int(continuo_realtime_nanoseconds()), ordering: .relaxed)
  let transport = unsafe continuo_realtime_transport(client)
  exchange.barFrame.store(
    transport.bar > 0 ? head &+ Int(transport.to_bar) : 0, ordering: .relaxed)
  exchange.barLength.store(Int(transport.bar), ordering: .relaxed)
  exchange.rolling.store(Int(transport.rolling), ordering: .relaxed)
  exchange.head.store(head, ordering: .releasing)

  guard let rawIn = unsafe continuo_realtime_port_buffer(inputPort, UInt32(count)),
    let rawLeft = unsafe continuo_realtime_port_buffer(leftPort, UInt32(count)),
    let rawRight = unsafe continuo_realtime_port_buffer(rightPort, UInt32(count))
  else { return }
  let live = unsafe UnsafePointer(rawIn.assumingMemoryBound(to: Float.self))
  let left = unsafe rawLeft.assumingMemoryBound(to: Float.self)
  let right = unsafe rawRight.assumingMemoryBound(to: Float.self)
  unsafe exchange.input.write(live, at: head, count: count)
  unsafe mixPeriod(head, count, live, left, right, exchange, state)
  unsafe exchangeMIDI(count, exchange, state)
}

/// Writes `count` frames to both outputs: generated sound between join and leave, live input outside,
/// equal-power between the two.
@_noLocks private func mixPeriod(
  _ head: Int, _ count: Int, _ live: UnsafePointer<Float>, _ left: UnsafeMutablePointer<Float>,
  _ right: UnsafeMutablePointer<Float>, _ exchange: AudioExchange,
  _ state: UnsafeMutablePointer<CallbackState>
) {
  let wheeling = exchange.freewheel.load(ordering: .relaxed)
  if wheeling != 0 { waitForMusic(head, count, exchange) }
  let join = exchange.joinFrame.load(ordering: .acquiring)
  let leave = exchange.leaveFrame.load(ordering: .acquiring)
  // The claim is made even when nothing is wanted: it is the writer's clock.
  let ready = unsafe exchange.output.read(at: head, count: count, left: left, right: right)

  let fade = exchange.fadeFrames.load(ordering: .relaxed)
  let slope = 1 / Float(fade > 0 ? fade : 1)
  let gainTarget = exchange.targetGain()
  let dryTarget = exchange.targetDry()
  var mix = unsafe state.pointee.mix
  var gain = unsafe state.pointee.gain
  var dry = unsafe state.pointee.dry
  var heldLeft = unsafe state.pointee.heldLeft
  var heldRight = unsafe state.pointee.heldRight
  var recovery = unsafe state.pointee.recovery
  var missing = 0
  var index = 0
  while index < count {
    let frame = head &+ index
    let inside = frame >= join && frame < leave
    if inside {
      mix += slope
      if mix > 1 { mix = 1 }
    } else {
      mix -= slope
      if mix < 0 { mix = 0 }
    }
    gain = approach(gain, gainTarget)
    dry = approach(dry, dryTarget)
    var l: Float = 0
    var r: Float = 0
    if mix > 0 {
      if index < ready {
        recovery += 0.005
        if recovery > 1 { recovery = 1 }
        l = unsafe left[index] * recovery
        r = unsafe right[index] * recovery
        heldLeft = l
        heldRight = r
      } else {
        // Late: fade away from the last sample instead of stepping to zero.
        if inside { missing &+= 1 }
        recovery = 0
        heldLeft *= 0.98
        heldRight *= 0.98
        l = heldLeft
        r = heldRight
      }
    }
    let generated = equalPower(mix)
    let direct = equalPower(1 - mix) * dry
    let dryPart = unsafe live[index] * direct
    unsafe left[index] = gain * (l * generated + dryPart)
    unsafe right[index] = gain * (r * generated + dryPart)
    index &+= 1
  }
  unsafe state.pointee.mix = mix
  unsafe state.pointee.gain = gain
  unsafe state.pointee.dry = dry
  unsafe state.pointee.heldLeft = heldLeft
  unsafe state.pointee.heldRight = heldRight
  unsafe state.pointee.recovery = recovery
  if missing > 0 {
    exchange.underrunFrames.wrappingAdd(missing, ordering: .relaxed)
    exchange.underruns.wrappingAdd(1, ordering: .relaxed)
  }
}

/// Only while the server freewheels, where everybody waits for everybody: returns when the period's music is
/// ready, or none is due.
@_noLocks private func waitForMusic(_ head: Int, _ count: Int, _ exchange: AudioExchange) {
  var patience = 18000  // 9 s in half milliseconds: JACK gives a client 10 s
  while patience > 0 {
    let held = exchange.held.load(ordering: .sequentiallyConsistent)
    let join = exchange.joinFrame.load(ordering: .acquiring)
    let leave = exchange.leaveFrame.load(ordering: .acquiring)
    let awaited = exchange.awaited.load(ordering: .acquiring)
    if held == 0 && awaited == 0 {
      if head &+ count <= join || head >= leave { break }
      if exchange.output.ready(at: head, count: count) { break }
    }
    exchange.waits.store(1, ordering: .sequentiallyConsistent)
    continuo_freewheel_wait()
    patience &-= 1
  }
  exchange.waits.store(0, ordering: .sequentiallyConsistent)
}

/// One step of a level towards its target, about 10 ms long; arrives exactly, so that a level of 1
/// changes no sample.
@_noLocks private func approach(_ level: Float, _ target: Float) -> Float {
  let distance = target - level
  if distance < 1e-4 && distance > -1e-4 { return target }
  return level + distance * 0.002
}

/// sin(share · π/2) for share in 0 … 1, exact at both ends, within 2e-4 between: the series' first terms.
@_noLocks func equalPower(_ share: Float) -> Float {
  if share >= 1 { return 1 }
  let angle = share * 1.5707964
  let square = angle * angle
  return angle
    * (1 - square * (0.16666667 - square * (0.008333333 - square * 0.0001984127)))
}

/// MIDI of the period: everything that came in, everything that waits to go out.
@_noLocks private func exchangeMIDI(
  _ count: Int, _ exchange: AudioExchange, _ state: UnsafeMutablePointer<CallbackState>
) {
  if let port = unsafe state.pointee.midiIn,
    let buffer = unsafe continuo_realtime_port_buffer(port, UInt32(count))
  {
    let events = unsafe continuo_realtime_midi_count(buffer)
    var index: UInt32 = 0
    while index < events {
      let message = unsafe continuo_realtime_midi_event(buffer, index)
      if message != 0 { _ = exchange.midiIn.offer(message) }
      index &+= 1
    }
  }
  if let port = unsafe state.pointee.midiOut,
    let buffer = unsafe continuo_realtime_port_buffer(port, UInt32(count))
  {
    unsafe continuo_realtime_midi_clear(buffer)
    var budget = 64
    while budget > 0 {
      let message = exchange.midiOut.take()
      if message == 0 { break }
      if unsafe continuo_realtime_midi_write(buffer, message) != 0 { break }
      budget &-= 1
    }
  }
}

/// JACK's thread initialisation callback.
func audioThreadStarts(_ argument: UnsafeMutableRawPointer?) { continuo_flush_denormals() }

/// JACK's xrun callback; may run on the audio thread.
@_noLocks func audioXrun(_ argument: UnsafeMutableRawPointer?) -> Int32 {
  guard let argument = unsafe argument else { return 0 }
  unsafe Unmanaged<AudioExchange>.fromOpaque(argument)._withUnsafeGuaranteedRef { exchange in
    _ = exchange.xruns.wrappingAdd(1, ordering: .relaxed)
  }
  return 0
}

/// JACK's sample-rate callback: stored and left to the generation thread.
@_noLocks func audioRate(_ rate: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
  guard let argument = unsafe argument else { return 0 }
  unsafe Unmanaged<AudioExchange>.fromOpaque(argument)._withUnsafeGuaranteedRef { exchange in
    exchange.sampleRate.store(Int(rate), ordering: .releasing)
  }
  return 0
}

/// JACK's buffer-size callback.
@_noLocks func audioSize(_ frames: UInt32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
  guard let argument = unsafe argument else { return 0 }
  unsafe Unmanaged<AudioExchange>.fromOpaque(argument)._withUnsafeGuaranteedRef { exchange in
    exchange.period.store(Int(frames), ordering: .releasing)
  }
  return 0
}

/// JACK's freewheel callback.
@_noLocks func audioFreewheel(_ starting: Int32, _ argument: UnsafeMutableRawPointer?) {
  guard let argument = unsafe argument else { return }
  unsafe Unmanaged<AudioExchange>.fromOpaque(argument)._withUnsafeGuaranteedRef { exchange in
    exchange.freewheel.store(Int(starting), ordering: .releasing)
  }
}

/// JACK's plain shutdown callback: PipeWire calls only this one.
@_noLocks func audioGone(_ argument: UnsafeMutableRawPointer?) {
  guard let argument = unsafe argument else { return }
  unsafe Unmanaged<AudioExchange>.fromOpaque(argument)._withUnsafeGuaranteedRef { exchange in
    exchange.gone.store(1, ordering: .releasing)
  }
}

/// JACK's shutdown callback with a reason: jackd2 prefers this one.
@_noLocks func audioGoneBecause(
  _ status: jack_status_t, _ reason: UnsafePointer<CChar>?, _ argument: UnsafeMutableRawPointer?
) {
  unsafe audioGone(argument)
}
