// A file mapped into memory for reading.

package import Foundation
internal import Reporting

#if canImport(Glibc)
  import Glibc
#endif

/// The bytes of a file, mapped read-only and kept as long as this object lives.
///
/// Safe because the mapping is private and read-only, and bytes are lent only as spans and closures'
/// arguments. A file that another program cuts short while it is mapped ends the process by SIGBUS;
/// `AtomicFile` never does that to a file of ours.
@safe package final class MappedFile: @unchecked Sendable {
  package let url: URL
  /// Size in bytes.
  package let count: Int
  private let base: UnsafeRawPointer
  /// Whether the bytes are those of a file, and not a copy.
  private let isMapped: Bool

  /// Maps `url`.
  /// - Throws: `SafetensorsError.cannotOpen` when there is no such file or it may not be read.
  package init(url: URL) throws {
    self.url = url
    isMapped = true
    let descriptor = unsafe open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw SafetensorsError.cannotOpen(
        file: url.path, reason: unsafe String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, (status.st_mode & S_IFMT) == S_IFREG else {
      throw SafetensorsError.cannotOpen(file: url.path, reason: "not a regular file")
    }
    count = Int(status.st_size)
    guard count > 0 else {
      unsafe base = UnsafeRawPointer(bitPattern: 1)!
      return
    }
    let mapped = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      throw SafetensorsError.cannotOpen(
        file: url.path, reason: unsafe String(cString: strerror(errno)))
    }
    #if os(Linux)
      // A step reads a float32 checkpoint from front to back: with pages of 4 KB that is up to 40 %
      // slower. File systems with large folios (ext4 from Linux 6.16 on, XFS) read a file that is not
      // in memory yet into pages of 2 MB after this; elsewhere it does nothing.
      if count >= 4 << 20 { _ = unsafe madvise(mapped, count, MADV_HUGEPAGE) }
    #endif
    unsafe base = UnsafeRawPointer(mapped)
  }

  /// Keeps a copy of `data` instead of mapping a file.
  /// - Parameter name: what messages call it.
  package init(copying data: Data, name: String) {
    url = URL(fileURLWithPath: name)
    isMapped = false
    count = data.count
    guard count > 0 else {
      unsafe base = UnsafeRawPointer(bitPattern: 1)!
      return
    }
    let mapped = unsafe mmap(
      nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      fatalError("out of memory: \(count) bytes")
    }
    unsafe UnsafeMutableRawBufferPointer(start: mapped, count: count).copyBytes(from: data)
    unsafe base = UnsafeRawPointer(mapped)
  }

  deinit {
    if count > 0 { unsafe munmap(UnsafeMutableRawPointer(mutating: base), count) }
  }

  /// All bytes.
  package var bytes: RawSpan {
    @_lifetime(borrow self) borrowing get {
      let whole = unsafe RawSpan(_unsafeStart: base, byteCount: count)
      return unsafe _overrideLifetime(whole, borrowing: self)
    }
  }

  /// Gives the memory of the pages that were read back to the system; they are read again when wanted.
  package func releasePages() { releasePages(0..<count) }

  /// Does so for the pages that hold the bytes in `range`.
  package func releasePages(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "outside the file")
    guard isMapped, !range.isEmpty else { return }
    let page = Int(getpagesize())
    let first = range.lowerBound / page * page
    let start = unsafe UnsafeMutableRawPointer(mutating: base + first)
    _ = unsafe madvise(start, range.upperBound - first, MADV_DONTNEED)
  }

  /// Where byte `offset` lies. Valid as long as the object lives.
  @unsafe package func pointer(at offset: Int) -> UnsafeRawPointer {
    precondition(offset >= 0 && offset <= count, "outside the file")
    return unsafe base + offset
  }
}
