#include "isolation/process/messages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace writ::isolation::process {
namespace {

void Encode(WireWriter& out, const Limits& limits) {
  out.I64(limits.wall_time.count()).I64(limits.cpu_time.count()).U32(limits.cpu_millis);
  out.U64(limits.memory_bytes).U32(limits.pids).U32(limits.open_files);
  out.U64(limits.stdout_bytes).U64(limits.stderr_bytes).U64(limits.disk_bytes).U64(limits.inodes);
}

Limits DecodeLimits(WireReader& in) {
  Limits limits;
  limits.wall_time = Millis{in.I64()};
  limits.cpu_time = Millis{in.I64()};
  limits.cpu_millis = in.U32();
  limits.memory_bytes = in.U64();
  limits.pids = in.U32();
  limits.open_files = in.U32();
  limits.stdout_bytes = in.U64();
  limits.stderr_bytes = in.U64();
  limits.disk_bytes = in.U64();
  limits.inodes = in.U64();
  return limits;
}

}  // namespace

void Encode(WireWriter& out, const Mechanisms& mechanisms) {
  out.U64(mechanisms.size());
  for (const auto& [name, mechanism] : mechanisms) out.Text(name).Text(mechanism);
}

Mechanisms DecodeMechanisms(WireReader& in) {
  Mechanisms mechanisms;
  const std::uint64_t count = in.U64();
  for (std::uint64_t i = 0; i < count && i < 64; ++i) {
    std::string name = in.Text();
    mechanisms[std::move(name)] = in.Text();
  }
  return mechanisms;
}

namespace {

void EncodeError(WireWriter& out, const Error& error) {
  out.U32(static_cast<std::uint32_t>(error.code)).Text(error.what);
}

Error DecodeError(WireReader& in) {
  const auto code = static_cast<Code>(in.U32());
  return Error{code, in.Text()};
}

}  // namespace

void Encode(WireWriter& out, const Take& take) {
  out.U32(static_cast<std::uint32_t>(JailRequest::kTake)).U64(take.cell);
  Encode(out, take.limits);
  out.Text(take.root_path).Text(take.workspace_path).Text(take.inputs_path).Text(take.tools_path);
}

Result<Take> DecodeTake(ByteView bytes) {
  WireReader in(bytes);
  Take take;
  in.U32();
  take.cell = in.U64();
  take.limits = DecodeLimits(in);
  take.root_path = in.Text();
  take.workspace_path = in.Text();
  take.inputs_path = in.Text();
  take.tools_path = in.Text();
  WRIT_TRY("take", in.Done());
  return take;
}

void Encode(WireWriter& out, const Hello& hello) {
  out.U32(hello.error.has_value());
  if (hello.error) return EncodeError(out, *hello.error);
  Encode(out, hello.offered);
}

Result<Hello> DecodeHello(ByteView bytes) {
  WireReader in(bytes);
  Hello hello;
  if (in.U32() != 0) {
    hello.error = DecodeError(in);
  } else {
    hello.offered = DecodeMechanisms(in);
  }
  WRIT_TRY("hello", in.Done());
  return hello;
}

void Encode(WireWriter& out, const LaunchBody& body) {
  out.Texts(body.argv).Texts(body.env).Text(body.cwd);
  Encode(out, body.limits);
  Encode(out, body.accepted);
  out.U32(body.rows).U32(body.columns).U32(static_cast<std::uint32_t>(body.files.size()));
  for (const PlacedFile& file : body.files) out.Text(file.name).Text(file.bytes);
}

Result<LaunchBody> DecodeLaunchBody(ByteView bytes) {
  WireReader in(bytes);
  LaunchBody body;
  body.argv = in.Texts();
  body.env = in.Texts();
  body.cwd = in.Text();
  body.limits = DecodeLimits(in);
  body.accepted = DecodeMechanisms(in);
  body.rows = static_cast<std::uint16_t>(in.U32());
  body.columns = static_cast<std::uint16_t>(in.U32());
  constexpr std::uint32_t kFilesMax = 16;
  const std::uint32_t files = in.U32();
  if (files > kFilesMax) return Fail(Code::kInvalid, "launch body: {} files, at most {} are placed", files, kFilesMax);
  for (std::uint32_t i = 0; i < files; ++i) {
    std::string name = in.Text();
    body.files.push_back({std::move(name), in.Text()});
  }
  WRIT_TRY("launch body", in.Done());
  if (body.argv.empty()) return Fail(Code::kInvalid, "launch body: argv is empty");
  return body;
}

void Encode(WireWriter& out, const CellReply& reply) {
  out.U32(reply.offer).U32(reply.error.has_value());
  if (reply.error) return EncodeError(out, *reply.error);
  out.U64(reply.cell);
  Encode(out, reply.limits);
  Encode(out, reply.enforced);
  out.Texts(reply.stats).U32(reply.workspace_is_copy);
}

Result<CellReply> DecodeCellReply(ByteView bytes) {
  WireReader in(bytes);
  CellReply reply;
  reply.offer = in.U32() != 0;
  if (in.U32() != 0) {
    reply.error = DecodeError(in);
  } else {
    reply.cell = in.U64();
    reply.limits = DecodeLimits(in);
    reply.enforced = DecodeMechanisms(in);
    reply.stats = in.Texts();
    reply.workspace_is_copy = in.U32() != 0;
  }
  WRIT_TRY("cell reply", in.Done());
  return reply;
}

void Encode(WireWriter& out, const EndReport& report) {
  out.U32(static_cast<std::uint32_t>(report.cause)).I64(report.wait_status).I64(report.exec_errno);
  out.I64(report.wall_us).I64(report.user_us).I64(report.system_us);
}

EndReport DecodeEndReport(WireReader& in) {
  EndReport report;
  report.cause = static_cast<EndReport::Cause>(in.U32());
  report.wait_status = static_cast<std::int32_t>(in.I64());
  report.exec_errno = static_cast<std::int32_t>(in.I64());
  report.wall_us = in.I64();
  report.user_us = in.I64();
  report.system_us = in.I64();
  return report;
}

void Encode(WireWriter& out, const CellLaunch& launch) {
  out.U32(launch.terminal).U32(launch.stdin_fd).U32(launch.workspace).U32(launch.workspace_is_copy).U32(launch.inputs);
  out.U32(launch.doors).U32(launch.tools);
}

std::array<sys::UniqueFd*, 7> DoorsOf(NetworkDoors& doors) {
  return {&doors.proxy,        &doors.transparent4, &doors.dns_udp4, &doors.dns_tcp4,
          &doors.transparent6, &doors.dns_udp6,     &doors.dns_tcp6};
}

Result<CellLaunch> DecodeCellLaunch(ByteView bytes) {
  WireReader in(bytes);
  CellLaunch launch;
  launch.terminal = in.U32() != 0;
  launch.stdin_fd = in.U32() != 0;
  launch.workspace = in.U32() != 0;
  launch.workspace_is_copy = in.U32() != 0;
  launch.inputs = in.U32() != 0;
  launch.doors = in.U32() != 0;
  launch.tools = in.U32() != 0;
  WRIT_TRY("cell launch", in.Done());
  return launch;
}

void Encode(WireWriter& out, const EntryReply& reply) {
  out.U32(reply.error.has_value());
  if (reply.error) return EncodeError(out, *reply.error);
  const sys::FileMeta& meta = reply.entry.meta;
  out.U32(static_cast<std::uint32_t>(meta.type)).U32(meta.mode).U32(meta.uid).U32(meta.gid).U32(meta.links);
  out.U64(meta.bytes).U64(meta.device).U64(meta.inode).I64(meta.mtime_ns).I64(meta.ctime_ns);
  out.Text(reply.entry.link_target).U32(reply.entry.opaque).U32(reply.complete);
}

EntryReply DecodeEntryReply(WireReader& in) {
  EntryReply reply;
  if (in.U32() != 0) {
    reply.error = DecodeError(in);
    return reply;
  }
  sys::FileMeta& meta = reply.entry.meta;
  meta.type = static_cast<sys::FileType>(in.U32());
  meta.mode = in.U32();
  meta.uid = in.U32();
  meta.gid = in.U32();
  meta.links = in.U32();
  meta.bytes = in.U64();
  meta.device = in.U64();
  meta.inode = in.U64();
  meta.mtime_ns = in.I64();
  meta.ctime_ns = in.I64();
  reply.entry.link_target = in.Text();
  reply.entry.opaque = in.U32() != 0;
  reply.complete = in.U32() != 0;
  return reply;
}

namespace {
constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
}

Result<sys::UniqueFd> SealBody(ByteView bytes) {
  if (bytes.size() > kBodyBytesMax)
    return Fail(Code::kExhausted, "arguments and environment are {} bytes, at most {} fit", bytes.size(), kBodyBytesMax);
  sys::UniqueFd body{::memfd_create("writ-launch", MFD_CLOEXEC | MFD_ALLOW_SEALING | 8u /* MFD_NOEXEC_SEAL */)};
  if (!body.valid() && errno == EINVAL)  // before Linux 6.3
    body = sys::UniqueFd{::memfd_create("writ-launch", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!body.valid()) return FailErrno("memfd_create");
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = ::write(body.get(), bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return FailErrno("write launch body");
    done += static_cast<std::size_t>(wrote);
  }
  if (::fcntl(body.get(), F_ADD_SEALS, kSeals) != 0) return FailErrno("seal launch body");
  return body;
}

Result<std::vector<std::uint8_t>> ReadBody(const sys::UniqueFd& body) {
  const int seals = ::fcntl(body.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return Fail(Code::kInvalid, "launch body is not sealed");
  struct stat meta{};
  if (::fstat(body.get(), &meta) != 0) return FailErrno("stat launch body");
  if (meta.st_size < 0 || static_cast<std::uint64_t>(meta.st_size) > kBodyBytesMax)
    return Fail(Code::kInvalid, "launch body has {} bytes, at most {} are taken", meta.st_size, kBodyBytesMax);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(meta.st_size));
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::pread(body.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return FailErrno("read launch body");
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace writ::isolation::process
