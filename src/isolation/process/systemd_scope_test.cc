#include "isolation/process/systemd_scope.h"

#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "base/bytes.h"
#include "isolation/process/fake_bus_for_test.h"

namespace writ::isolation::process {
namespace {

using test::FakeBus;
using test::FromBus;
using test::Peer;

constexpr char kUnit[] = "writ-e6099348-a1e1-43e8-8b65-b92ee34193e3.scope";
constexpr pid_t kPid = 48;  // of the recorded exchange
constexpr char kJob[] = "/org/freedesktop/systemd1/job/123";

std::string Text(std::initializer_list<std::string_view> strings) {
  dbus::Encoder out;
  for (const std::string_view text : strings) out.String(text);
  return out.bytes();
}

/// A runtime directory, a /proc and a cgroup hierarchy of files.
class StartScope : public testing::Test {
 protected:
  StartScope() {
    std::filesystem::create_directories(Path("proc/48"));
    Write("proc/48/cgroup", "4:memory:/\n0::/user.slice/session-2.scope\n");
    std::filesystem::create_directories(Path("cgroup/app.slice") + "/" + kUnit);
    for (const char* file : {"cgroup.subtree_control", "cgroup.procs"}) Write(std::string("cgroup/app.slice/") + kUnit + "/" + file, "");
    Write(std::string("cgroup/app.slice/") + kUnit + "/cgroup.controllers", "cpu memory pids\n");
  }
  std::string Path(const std::string& name) const { return runtime_.path() + "/" + name; }
  void Write(const std::string& name, std::string_view text) const { std::ofstream(Path(name)) << text; }
  /// What systemd does when the job runs.
  void Move() const {
    Write("proc/48/next", std::string("4:memory:/\n0::/app.slice/") + kUnit + "\n");
    std::filesystem::rename(Path("proc/48/next"), Path("proc/48/cgroup"));
  }
  ScopeRequest Request() const {
    ScopeRequest request{.pid = kPid, .unit = kUnit, .runtime_dir = runtime_.path()};
    request.cgroup_root = Path("cgroup");
    request.proc_root = Path("proc");
    return request;
  }
  Result<Scope> Start(Millis within = Millis{5000}) const { return StartDelegatedScope(Request(), Deadline::After(within)); }
  /// Start while `script` plays systemd on its private socket.
  Result<Scope> StartWith(std::function<void(Peer&)> script, Millis within = Millis{5000}) const {
    const FakeBus bus(Path("systemd/private"), std::move(script));
    return Start(within);
  }
  /// As StartWith; the call was accepted and is answered by `answer`.
  Result<Scope> StartAnswered(std::string answer, Millis within = Millis{5000}) const {
    return StartWith(
        [answer](Peer& peer) {
          peer.Accept();
          peer.ReadMessage();
          peer.Send(answer);
          peer.Read(1);  // until the client goes
        },
        within);
  }

  test::TemporaryRuntime runtime_;
};

TEST_F(StartScope, ReplaysWhatARealSystemdSaid) {
  std::ifstream file(WRIT_SOURCE_DIR "/tests/vectors/dbus/start_scope.txt");
  std::vector<std::pair<std::string, std::string>> lines;
  for (std::string who, hex; file >> who >> hex;) {
    const auto bytes = HexDecode(hex);
    ASSERT_TRUE(bytes.has_value());
    lines.emplace_back(who, *bytes);
  }
  ASSERT_EQ(lines.size(), 9u);
  std::string differs;
  const auto scope = StartWith([&](Peer& peer) {
    for (const auto& [who, bytes] : lines) {
      if (who == "server") {
        peer.Send(bytes);
        continue;
      }
      if (bytes.starts_with(std::string_view("\0AUTH", 5))) {
        const std::string wanted =
            std::string(1, '\0') + "AUTH EXTERNAL " + HexEncode(AsBytes(std::to_string(::geteuid()))) + "\r\n";
        if (peer.ReadLine() != wanted) differs = "authentication";
        continue;
      }
      if (peer.Read(bytes.size()) != bytes) differs = "client message of " + std::to_string(bytes.size()) + " bytes";
    }
    Move();
    peer.Read(1);
  });
  ASSERT_TRUE(scope.has_value()) << scope.error().what;
  EXPECT_EQ(differs, "");
  EXPECT_EQ(scope->directory, Path("cgroup/app.slice/") + kUnit);
  EXPECT_EQ(scope->controllers, (std::vector<std::string>{"cpu", "memory", "pids"}));
}

TEST_F(StartScope, GoesThroughTheBusWhereThereIsNoPrivateSocket) {
  std::string hello, start;
  const FakeBus bus(Path("bus"), [&](Peer& peer) {
    peer.Accept();
    hello = peer.ReadMessage();
    peer.Send(FromBus(dbus::Type::kSignal, 0, "", "NameAcquired", "s", Text({":1.5"})));
    peer.Send(FromBus(dbus::Type::kReturn, 1, "", "", "s", Text({":1.5"})));
    start = peer.ReadMessage();
    peer.Send(FromBus(dbus::Type::kReturn, 2, "", "", "o", Text({kJob})));
    Move();
    peer.Read(1);
  });
  const auto scope = Start();
  ASSERT_TRUE(scope.has_value()) << scope.error().what;
  EXPECT_EQ(dbus::Parse(hello)->member, "Hello");
  EXPECT_EQ(dbus::Parse(start)->member, "StartTransientUnit");
  EXPECT_NE(start.find("org.freedesktop.systemd1\0"), std::string::npos);
}

TEST_F(StartScope, MessagesInPiecesAreJoined) {
  const auto scope = StartWith([&](Peer& peer) {
    peer.ReadLine();
    for (const char byte : std::string("OK 01\r\n")) peer.Send({&byte, 1});
    peer.ReadLine();
    peer.ReadMessage();
    const std::string answer = FromBus(dbus::Type::kReturn, 1, "", "", "o", Text({kJob}));
    for (const char byte : answer) peer.Send({&byte, 1});
    Move();
    peer.Read(1);
  });
  EXPECT_TRUE(scope.has_value()) << scope.error().what;
}

TEST_F(StartScope, ABusThatLeavesAfterItsAnswerIsNoError) {
  const auto scope = StartWith([&](Peer& peer) {
    peer.Accept();
    peer.ReadMessage();
    peer.Send(FromBus(dbus::Type::kReturn, 1, "", "", "o", Text({kJob})));
    ::usleep(20000);
    Move();
  });
  EXPECT_TRUE(scope.has_value()) << scope.error().what;
}

TEST_F(StartScope, Attack47_NoBusIsSaidWithTheWayOut) {
  const auto scope = Start();
  ASSERT_FALSE(scope.has_value());
  EXPECT_EQ(scope.error().code, Code::kUnavailable);
  EXPECT_NE(scope.error().what.find("loginctl enable-linger"), std::string::npos) << scope.error().what;
}

TEST_F(StartScope, Attack47_RefusalsAndNonsenseAreErrors) {
  const auto say = [](std::string first_line) {
    return [first_line](Peer& peer) {
      peer.ReadLine();
      peer.Send(first_line);
      peer.Read(1);
    };
  };
  const struct {
    const char* why;
    std::function<void(Peer&)> script;
    Code code;
    const char* says;
  } cases[] = {
      {"authentication refused", say("REJECTED EXTERNAL\r\n"), Code::kDenied, "rejects uid"},
      {"another protocol", say("HTTP/1.1 400 Bad\x1b[2J\r\n"), Code::kCorrupt, "HTTP/1.1 400 Bad\\u{1b}[2J"},
      {"endless line", say(std::string(1u << 16, 'x')), Code::kCorrupt, "longer than 1024"},
      {"closes at once", [](Peer&) {}, Code::kUnavailable, "bus"},
      {"closes before the answer", [](Peer& peer) { peer.Accept(), peer.ReadMessage(); }, Code::kUnavailable, "closed"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const auto scope = StartWith(c.script);
    std::filesystem::remove(Path("systemd/private"));
    ASSERT_FALSE(scope.has_value());
    EXPECT_EQ(scope.error().code, c.code) << scope.error().what;
    EXPECT_NE(scope.error().what.find(c.says), std::string::npos) << scope.error().what;
    EXPECT_EQ(scope.error().what.find('\x1b'), std::string::npos);
  }
}

TEST_F(StartScope, Attack47_BadAnswersAreErrors) {
  const auto signal = [](std::string_view result) {
    dbus::Encoder body;
    body.U32(123);
    for (const std::string_view text : {std::string_view(kJob), std::string_view(kUnit), result}) body.String(text);
    return FromBus(dbus::Type::kSignal, 0, "", "JobRemoved", "uoss", body.bytes());
  };
  const std::string accepted = FromBus(dbus::Type::kReturn, 1, "", "", "o", Text({kJob}));
  std::string huge(16, '\0');
  huge[0] = 'l', huge[1] = 2, huge[3] = 1, huge[7] = 0x7f;
  const struct {
    const char* why;
    std::string answer;
    Code code;
    const char* says;
  } cases[] = {
      {"refused", FromBus(dbus::Type::kError, 1, "org.freedesktop.DBus.Error.AccessDenied", "", "s", Text({"no\x1b[0m"})),
       Code::kDenied, "no\\u{1b}[0m (org.freedesktop.DBus.Error.AccessDenied)"},
      {"exists", FromBus(dbus::Type::kError, 1, "org.freedesktop.systemd1.UnitExists", "", "s", Text({"already there"})),
       Code::kUnavailable, "already there"},
      {"error without a text", FromBus(dbus::Type::kError, 1, "a.b", "", "", ""), Code::kUnavailable, "(a.b)"},
      {"no job in the answer", FromBus(dbus::Type::kReturn, 1, "", "", "s", Text({"x"})), Code::kCorrupt, "not a job"},
      {"body shorter than its type", FromBus(dbus::Type::kReturn, 1, "", "", "o", "\1"), Code::kCorrupt, "ends early"},
      {"not D-Bus", std::string(64, 'x'), Code::kCorrupt, "byte order"},
      {"too long", huge, Code::kExhausted, "longer than"},
      {"job failed", accepted + signal("failed"), Code::kUnavailable, "could not start the scope: failed"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const auto scope = StartAnswered(c.answer);
    std::filesystem::remove(Path("systemd/private"));
    ASSERT_FALSE(scope.has_value());
    EXPECT_EQ(scope.error().code, c.code) << scope.error().what;
    EXPECT_NE(scope.error().what.find(c.says), std::string::npos) << scope.error().what;
  }
}

TEST_F(StartScope, SilenceEndsWithTheDeadline) {
  const std::string accepted = FromBus(dbus::Type::kReturn, 1, "", "", "o", Text({kJob}));
  const std::string other = FromBus(dbus::Type::kReturn, 7, "", "", "o", Text({kJob}));
  const struct {
    const char* why;
    std::function<void(Peer&)> script;
  } cases[] = {
      {"says nothing at all", [](Peer& peer) { peer.Read(1u << 20); }},
      {"accepts and is silent", [](Peer& peer) { peer.Accept(), peer.Read(1u << 20); }},
      {"answers another call", [&](Peer& peer) { peer.Accept(), peer.ReadMessage(), peer.Send(other), peer.Read(1); }},
      {"half a message", [&](Peer& peer) { peer.Accept(), peer.Send(accepted.substr(0, 20)), peer.Read(1u << 20); }},
      {"never moves the process", [&](Peer& peer) { peer.Accept(), peer.ReadMessage(), peer.Send(accepted), peer.Read(1); }},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const auto scope = StartWith(c.script, Millis{100});
    std::filesystem::remove(Path("systemd/private"));
    ASSERT_FALSE(scope.has_value());
    EXPECT_EQ(scope.error().code, Code::kDeadline) << scope.error().what;
  }
}

TEST_F(StartScope, AFloodOfSignalsIsNotListenedToForEver) {
  const std::string signal = FromBus(dbus::Type::kSignal, 0, "", "Noise", "s", Text({"x"}));
  const auto scope = StartWith([&](Peer& peer) {
    peer.Accept();
    while (peer.Send(signal)) {
    }
  });
  ASSERT_FALSE(scope.has_value());
  EXPECT_EQ(scope.error().code, Code::kExhausted) << scope.error().what;
}

TEST_F(StartScope, Attack47_AScopeThatWasNotDelegatedIsRefused) {
  std::filesystem::remove(Path("cgroup/app.slice/") + kUnit + "/cgroup.subtree_control");
  const auto scope = StartWith([&](Peer& peer) {
    peer.Accept();
    peer.ReadMessage();
    Move();
    peer.Send(FromBus(dbus::Type::kReturn, 1, "", "", "o", Text({kJob})));
    peer.Read(1);
  });
  ASSERT_FALSE(scope.has_value());
  EXPECT_NE(scope.error().what.find("not delegated"), std::string::npos) << scope.error().what;
}

TEST_F(StartScope, RefusesNamesThatAreNoScope) {
  for (const char* unit : {"", ".scope", "writ.service", "a/b.scope", "a b.scope", "../x.scope", "\n.scope"}) {
    SCOPED_TRACE(unit);
    ScopeRequest request = Request();
    request.unit = unit;
    const auto scope = StartDelegatedScope(request, Deadline::After(Millis{100}));
    ASSERT_FALSE(scope.has_value());
    EXPECT_EQ(scope.error().code, Code::kInvalid);
  }
  ScopeRequest request = Request();
  request.pid = 0;
  EXPECT_EQ(StartDelegatedScope(request, Deadline::After(Millis{100})).error().code, Code::kInvalid);
  request = Request();
  request.runtime_dir = "/tmp/" + std::string(200, 'x');
  EXPECT_EQ(StartDelegatedScope(request, Deadline::After(Millis{100})).error().code, Code::kInvalid);
}

TEST_F(StartScope, DividesForCells) {
  const std::string directory = Path("cgroup/app.slice/") + kUnit;
  std::filesystem::create_directory(directory + "/main");
  std::ofstream(directory + "/main/cgroup.procs") << "";
  const auto content = [](const std::string& file) {
    std::string text;
    std::getline(std::ifstream(file), text);
    return text;
  };
  ASSERT_TRUE(DivideScope({directory, {"cpu", "memory", "pids"}}, kPid).has_value());
  EXPECT_EQ(content(directory + "/main/cgroup.procs"), "48");
  EXPECT_EQ(content(directory + "/cgroup.subtree_control"), "+memory +pids +cpu");
}

TEST_F(StartScope, Attack47_AControllerThatWasNotDelegatedIsNamed) {
  const auto divided = DivideScope({Path("cgroup/app.slice/") + kUnit, {"cpu", "memory"}}, kPid);
  ASSERT_FALSE(divided.has_value());
  EXPECT_EQ(divided.error().code, Code::kUnavailable);
  EXPECT_NE(divided.error().what.find("controller pids"), std::string::npos) << divided.error().what;
  EXPECT_FALSE(std::filesystem::exists(Path("cgroup/app.slice/") + kUnit + "/main"));
}

TEST(MakeScopeName, IsAccepted) {
  EXPECT_NE(MakeScopeName(), MakeScopeName());
  EXPECT_TRUE(MakeScopeName().starts_with("writ-"));
  EXPECT_TRUE(MakeScopeName().ends_with(".scope"));
}

}  // namespace
}  // namespace writ::isolation::process
