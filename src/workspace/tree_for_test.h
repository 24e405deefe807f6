#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <map>
#include <string>

#include "base/clock.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "workspace/manifest.h"
#include "workspace/walk.h"

namespace writ::workspace {

/// A directory to fill and look at. Only for tests; a step that fails is a test failure.
class TestTree {
 public:
  const sys::UniqueFd& fd() const { return directory_.fd(); }
  const std::string& path() const { return directory_.path(); }
  std::string Path(const std::string& name) const { return path() + "/" + name; }

  TestTree& Write(const std::string& name, std::string_view text, std::uint32_t mode = 0644) {
    Parents(name);
    EXPECT_TRUE(sys::WriteFileAtomic(Path(name), text, mode, sys::Durability::kQuick)) << name;
    return *this;
  }
  TestTree& Directory(const std::string& name, std::uint32_t mode = 0755) {
    EXPECT_TRUE(sys::MakeDirectories(Path(name), 0755)) << name;
    EXPECT_EQ(::chmod(Path(name).c_str(), mode), 0);
    return *this;
  }
  TestTree& Link(const std::string& name, const std::string& target) {
    Parents(name);
    EXPECT_EQ(::symlink(target.c_str(), Path(name).c_str()), 0) << name;
    return *this;
  }
  TestTree& HardLink(const std::string& name, const std::string& old_name) {
    EXPECT_EQ(::link(Path(old_name).c_str(), Path(name).c_str()), 0) << name;
    return *this;
  }
  TestTree& Fifo(const std::string& name) {
    Parents(name);
    EXPECT_EQ(::mkfifo(Path(name).c_str(), 0666), 0) << name;
    return *this;
  }
  TestTree& Socket(const std::string& name) {
    const sys::UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    EXPECT_LT(Path(name).copy(address.sun_path, sizeof address.sun_path), sizeof address.sun_path);
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << name;
    return *this;
  }
  /// A character device 0:0. False where the caller may not make one.
  bool Whiteout(const std::string& name) {
    Parents(name);
    return ::mknod(Path(name).c_str(), S_IFCHR | 0600, 0) == 0;
  }
  TestTree& Remove(const std::string& name) {
    const auto place = sys::OpenParentBeneath(fd(), name);
    EXPECT_TRUE(place && sys::RemoveTree(place->parent, place->name)) << name;
    return *this;
  }
  std::string Read(const std::string& name) const {
    return sys::ReadFileBeneath(fd(), name, 64u << 20).value_or("(cannot be read)");
  }

  Manifest Captured(CaptureOptions options = {}) const {
    sys::LocalTreeOpener opener;
    auto manifest = Capture(fd(), opener, options, SystemClock());
    if (!manifest) ADD_FAILURE() << manifest.error().what;
    return manifest.value_or(Manifest{});
  }

  /// Path to "TYPE MODE CONTENT": two trees are the same when this is.
  std::map<std::string, std::string> Snapshot() const {
    std::map<std::string, std::string> all;
    for (const Entry& entry : Captured().entries) {
      all[entry.path] = fmt::format("{} {:o} {}{}", EntryTypeName(entry.state.type), entry.state.mode,
                                    entry.state.sha256, entry.state.target);
    }
    return all;
  }

 private:
  void Parents(const std::string& name) {
    if (const auto slash = name.rfind('/'); slash != name.npos) {
      EXPECT_TRUE(sys::MakeDirectories(Path(name.substr(0, slash)), 0755)) << name;
    }
  }

  sys::TemporaryDirectory directory_ = sys::TemporaryDirectory::Create(testing::TempDir(), "ws-").value();
};

}  // namespace writ::workspace
