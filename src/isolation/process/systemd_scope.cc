#include "isolation/process/systemd_scope.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/escape.h"
#include "base/ids.h"
#include "isolation/process/dbus_message.h"
#include "sys/file.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {
namespace {

constexpr std::size_t kLineMax = 1024;     // of the authentication exchange
constexpr int kMessagesMax = 4096;         // a chatty bus must not keep us for ever
constexpr std::size_t kShownMax = 200;     // characters of the peer's texts in errors
constexpr Millis kLookEvery{2};            // at /proc/PID/cgroup, while systemd moves the process

constexpr char kBus[] = "org.freedesktop.DBus";
constexpr char kSystemd[] = "org.freedesktop.systemd1";
constexpr char kManager[] = "org.freedesktop.systemd1.Manager";

/// A connected, authenticated D-Bus connection. Every wait ends with the deadline.
class Connection {
 public:
  static Result<Connection> Open(const std::string& path, Deadline deadline);

  Result<> Authenticate(Deadline deadline);
  /// Sends the call with the next serial and waits for its answer; other messages are passed over.
  Result<dbus::Message> Ask(dbus::Call call, Deadline deadline);
  /// The next message; nullopt when none is there within `deadline`.
  Result<std::optional<dbus::Message>> Next(Deadline deadline);

 private:
  explicit Connection(sys::UniqueFd fd) : fd_(std::move(fd)) {}
  Result<> Send(std::string_view bytes, Deadline deadline);
  /// Waits for more bytes; false when the deadline came first.
  Result<bool> ReadMore(Deadline deadline);

  sys::UniqueFd fd_;
  std::string buffer_;
  std::uint32_t serial_ = 0;
};

Result<Connection> Connection::Open(const std::string& path, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Fail(Code::kInvalid, "path of the bus is longer than {} bytes: {}", sizeof address.sun_path - 1,
                EscapeVisible(path, kShownMax));
  std::memcpy(address.sun_path, path.data(), path.size());
  sys::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FailErrno("socket");
  // A full backlog answers EAGAIN at once, whatever the deadline: ask again until then.
  while (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return FailErrno(path);
    if (deadline.Passed()) return Fail(Code::kDeadline, "connect to {}", EscapeVisible(path, kShownMax));
    ::usleep(1000);
  }
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return FailErrno("credentials of the bus");
  if (peer.uid != ::geteuid())
    return Fail(Code::kDenied, "the bus at {} belongs to uid {}, not to the caller ({})", EscapeVisible(path, kShownMax),
                peer.uid, ::geteuid());
  return Connection(std::move(fd));
}

Result<> Connection::Send(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return FailErrno("send to the bus");
    pollfd waiting{fd_.get(), POLLOUT, 0};
    const int ready = ::poll(&waiting, 1, deadline.PollTimeoutMs());
    if (ready < 0 && errno != EINTR) return FailErrno("wait for the bus");
    if (ready == 0) return Fail(Code::kDeadline, "the bus does not read");
  }
  return {};
}

Result<bool> Connection::ReadMore(Deadline deadline) {
  for (;;) {
    char chunk[4096];
    const ssize_t got = ::recv(fd_.get(), chunk, sizeof chunk, 0);
    if (got > 0) {
      buffer_.append(chunk, static_cast<std::size_t>(got));
      return true;
    }
    if (got == 0) return Fail(Code::kUnavailable, "the bus closed the connection");
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return FailErrno("read from the bus");
    pollfd waiting{fd_.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, deadline.PollTimeoutMs());
    if (ready < 0 && errno != EINTR) return FailErrno("wait for the bus");
    if (ready == 0) return false;
  }
}

Result<> Connection::Authenticate(Deadline deadline) {
  // The leading NUL once carried credentials; the identity is the decimal uid in hexadecimal.
  const std::string greeting =
      std::string(1, '\0') + "AUTH EXTERNAL " + HexEncode(AsBytes(std::to_string(::geteuid()))) + "\r\n";
  if (auto sent = Send(greeting, deadline); !sent) return sent;
  std::size_t end;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (buffer_.size() > kLineMax) return Fail(Code::kCorrupt, "authentication line longer than {} bytes", kLineMax);
    if (!WRIT_TRY("authenticate", ReadMore(deadline))) return Fail(Code::kDeadline, "authenticate: the bus is silent");
  }
  const std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  if (line.starts_with("REJECTED")) return Fail(Code::kDenied, "the bus rejects uid {} (EXTERNAL)", ::geteuid());
  if (!line.starts_with("OK ") && line != "OK")
    return Fail(Code::kCorrupt, "authenticate: expected OK, got \"{}\"", EscapeVisible(line, kShownMax));
  return Send("BEGIN\r\n", deadline);
}

Result<std::optional<dbus::Message>> Connection::Next(Deadline deadline) {
  for (;;) {
    if (buffer_.size() >= dbus::kFixedHeader) {
      const std::size_t size = WRIT_TRY("message from the bus", dbus::MessageSize(buffer_));
      if (buffer_.size() >= size) {
        auto message = dbus::Parse(std::string_view(buffer_).substr(0, size));
        if (!message) return std::unexpected(std::move(message).error().Doing("message from the bus"));
        buffer_.erase(0, size);
        return std::optional(*std::move(message));
      }
    }
    if (!WRIT_TRY("message from the bus", ReadMore(deadline))) return std::nullopt;
  }
}

/// What an error answer means for the caller.
Error FromAnswer(const dbus::Message& answer) {
  std::string text;
  if (answer.signature.starts_with('s'))
    if (auto said = dbus::Decoder(answer.body, answer.big_endian).String()) text = *std::move(said);
  const std::string_view name = answer.error_name;
  Code code = Code::kUnavailable;
  if (name.ends_with(".AccessDenied") || name.ends_with(".AuthFailed") || name.ends_with(".InteractiveAuthorizationRequired"))
    code = Code::kDenied;
  return {code, fmt::format("{} ({})", EscapeVisible(text, kShownMax), EscapeVisible(name, kShownMax))};
}

Result<dbus::Message> Connection::Ask(dbus::Call call, Deadline deadline) {
  call.serial = ++serial_;
  if (auto sent = Send(dbus::Encode(call), deadline); !sent) return std::unexpected(std::move(sent).error());
  for (int seen = 0; seen < kMessagesMax; ++seen) {
    auto message = WRIT_TRY(call.member, Next(deadline));
    if (!message) return Fail(Code::kDeadline, "{}: no answer in time", call.member);
    if (message->reply_serial != call.serial) continue;
    if (message->type == dbus::Type::kReturn) return *std::move(message);
    if (message->type == dbus::Type::kError) return std::unexpected(FromAnswer(*message).Doing(call.member));
  }
  return Fail(Code::kExhausted, "{}: no answer among {} messages", call.member, kMessagesMax);
}

/// (sv) of a unit's property list.
void Property(dbus::Encoder& out, std::string_view name, std::string_view type, const auto& put) {
  out.Align(8);
  out.String(name);
  out.Signature(type);
  put();
}

/// StartTransientUnit(name, mode, properties, aux).
dbus::Call StartScope(const ScopeRequest& request, bool through_bus) {
  dbus::Encoder body;
  body.String(request.unit);
  body.String("fail");
  const std::size_t properties = body.BeginArray(8);
  Property(body, "Description", "s", [&] { body.String("Writ sandboxes"); });
  Property(body, "PIDs", "au", [&] {
    const std::size_t pids = body.BeginArray(4);
    body.U32(static_cast<std::uint32_t>(request.pid));
    body.EndArray(pids);
  });
  Property(body, "Delegate", "b", [&] { body.Bool(true); });
  // A scope that failed is forgotten like one that ended.
  Property(body, "CollectMode", "s", [&] { body.String("inactive-or-failed"); });
  body.EndArray(properties);
  const std::size_t others = body.BeginArray(8);
  body.EndArray(others);
  return {.serial = 0,
          .destination = through_bus ? kSystemd : "",
          .path = "/org/freedesktop/systemd1",
          .interface = kManager,
          .member = "StartTransientUnit",
          .signature = "ssa(sv)a(sa(sv))",
          .body = body.bytes()};
}

/// Path of `pid` in the v2 hierarchy; empty when it has none.
Result<std::string> CgroupOf(const ScopeRequest& request) {
  const std::string text = WRIT_TRY(
      "cgroup of the process",
      sys::ReadFile(fmt::format("{}/{}/cgroup", request.proc_root, request.pid), dbus::kMessageMax));
  std::size_t at = text.starts_with("0::") ? 0 : text.find("\n0::");
  if (at == std::string::npos) return std::string();
  at = text.find("::", at) + 2;
  return text.substr(at, text.find('\n', at) - at);
}

/// Error when this message says that our job ended badly: JobRemoved(u id, o job, s unit, s result).
std::optional<Error> JobFailed(const dbus::Message& message, std::string_view job) {
  if (message.type != dbus::Type::kSignal || message.member != "JobRemoved" || message.signature != "uoss")
    return std::nullopt;
  dbus::Decoder in(message.body, message.big_endian);
  if (!in.U32()) return std::nullopt;
  const auto which = in.String(), unit = in.String(), result = in.String();
  if (!which || !unit || !result || *which != job || *result == "done") return std::nullopt;
  return Error{Code::kUnavailable, fmt::format("systemd could not start the scope: {}", EscapeVisible(*result, kShownMax))};
}

/// Waits until the process is in the unit's cgroup. Looking is the truth; a JobRemoved only ends the wait early.
Result<std::string> AwaitMove(const ScopeRequest& request, Connection& bus, std::string_view job, Deadline deadline) {
  bool listening = true;
  for (;;) {
    const std::string path = WRIT_TRY("wait for the scope", CgroupOf(request));
    if (path.starts_with('/') && path.ends_with("/" + request.unit) && path.find("/../") == std::string::npos) return path;
    if (deadline.Passed()) return Fail(Code::kDeadline, "systemd did not move process {} into {}", request.pid, request.unit);
    const Deadline look = Deadline::After(kLookEvery).Earlier(deadline);
    if (!listening) {
      ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kLookEvery).count()));
      continue;
    }
    const auto message = bus.Next(look);
    // The bus may go away once it has done what was asked.
    if (!message) listening = false;
    if (message && *message)
      if (auto failure = JobFailed(**message, job)) return std::unexpected(*std::move(failure));
  }
}

Result<Scope> Describe(const ScopeRequest& request, const std::string& path) {
  Scope scope{.directory = request.cgroup_root + path, .controllers = {}};
  if (::access((scope.directory + "/cgroup.subtree_control").c_str(), W_OK) != 0 ||
      ::access(scope.directory.c_str(), W_OK | X_OK) != 0)
    return std::unexpected(ErrnoError(errno, scope.directory).Doing("the scope was not delegated"));
  const std::string text =
      WRIT_TRY("controllers of the scope", sys::ReadFile(scope.directory + "/cgroup.controllers", dbus::kMessageMax));
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
    if (end > at) scope.controllers.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return scope;
}

/// One write(2), as control files want it.
Result<> Put(const std::string& file, std::string_view text) {
  const sys::UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(file);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return FailErrno(fmt::format("write \"{}\" to {}", text, file));
  return {};
}

bool IsScopeName(std::string_view unit) {
  return unit.size() > 6 && unit.size() < 256 && unit.ends_with(".scope") &&
         std::ranges::all_of(unit, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
         });
}

}  // namespace

std::string MakeScopeName() { return MakeId("writ-") + ".scope"; }

Result<Scope> StartDelegatedScope(const ScopeRequest& request, Deadline deadline) {
  if (!IsScopeName(request.unit))
    return Fail(Code::kInvalid, "unit \"{}\" must be letters, digits, - _ . and end in .scope",
                EscapeVisible(request.unit, kShownMax));
  if (request.pid <= 0) return Fail(Code::kInvalid, "process id {} must be positive", request.pid);
  const std::string runtime =
      request.runtime_dir.empty() ? fmt::format("/run/user/{}", ::geteuid()) : request.runtime_dir;

  // The private socket talks to systemd itself; the bus is there even where that socket is hidden.
  bool through_bus = false;
  auto bus = Connection::Open(runtime + "/systemd/private", deadline);
  if (!bus && (bus.error().code == Code::kNotFound || bus.error().code == Code::kUnavailable)) {
    through_bus = true;
    bus = Connection::Open(runtime + "/bus", deadline);
  }
  if (!bus && (bus.error().code == Code::kNotFound || bus.error().code == Code::kUnavailable))
    return Fail(Code::kUnavailable,
                "no systemd of the user answers in {} (systemd/private, bus): log in through systemd, or run "
                "`loginctl enable-linger`",
                EscapeVisible(runtime, kShownMax));
  if (!bus) return std::unexpected(std::move(bus).error().Doing("connect to the user's systemd"));

  const auto step = [](auto result) {
    if (!result) result = std::unexpected(std::move(result).error().Doing("ask systemd for a scope"));
    return result;
  };
  if (auto done = step(bus->Authenticate(deadline)); !done) return std::unexpected(std::move(done).error());
  if (through_bus) {
    const auto hello = step(bus->Ask({.serial = 0,
                                      .destination = kBus,
                                      .path = "/org/freedesktop/DBus",
                                      .interface = kBus,
                                      .member = "Hello",
                                      .signature = {},
                                      .body = {}},
                                     deadline));
    if (!hello) return std::unexpected(hello.error());
  }
  const auto started = step(bus->Ask(StartScope(request, through_bus), deadline));
  if (!started) return std::unexpected(started.error());
  if (started->signature != "o") return Fail(Code::kCorrupt, "StartTransientUnit: the answer is not a job");
  const std::string job =
      WRIT_TRY("StartTransientUnit", dbus::Decoder(started->body, started->big_endian).String());
  const std::string path = WRIT_TRY("ask systemd for a scope", AwaitMove(request, *bus, job, deadline));
  return Describe(request, path);
}

Result<> DivideScope(const Scope& scope, pid_t pid) {
  for (const std::string_view controller : {"memory", "pids", "cpu"})
    if (std::ranges::find(scope.controllers, controller) == scope.controllers.end())
      return Fail(Code::kUnavailable, "systemd did not delegate the controller {} to {}", controller, scope.directory);
  const std::string main = scope.directory + "/main";
  if (::mkdir(main.c_str(), 0755) != 0 && errno != EEXIST) return FailErrno(main);
  if (auto moved = Put(main + "/cgroup.procs", std::to_string(pid)); !moved) return moved;
  return Put(scope.directory + "/cgroup.subtree_control", "+memory +pids +cpu");
}

Result<std::string> DelegateScope(pid_t pid, Deadline deadline) {
  ScopeRequest request;
  request.pid = pid;
  request.unit = MakeScopeName();
  const Scope scope = WRIT_TRY("ask systemd for a scope", StartDelegatedScope(request, deadline));
  WRIT_TRY("divide the scope", DivideScope(scope, pid));
  return scope.directory;
}

}  // namespace writ::isolation::process
