#include "isolation/process/messages.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace writ::isolation::process {
namespace {

LaunchBody Sample() {
  LaunchBody body;
  body.files = {{"ca.pem", "certificate"}, {"empty", ""}};
  body.argv = {"/bin/echo", "", "two words"};
  body.env = {"A=1"};
  body.cwd = "/work";
  body.limits.memory_bytes = 12345;
  body.accepted = {{"memory", "rlimit"}};
  body.rows = 40;
  body.columns = 120;
  return body;
}

TEST(LaunchBody, RoundTrips) {
  WireWriter out;
  Encode(out, Sample());
  const auto back = DecodeLaunchBody(out.bytes());
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->argv, Sample().argv);
  EXPECT_EQ(back->env, Sample().env);
  EXPECT_EQ(back->limits, Sample().limits);
  EXPECT_EQ(back->accepted, Sample().accepted);
  EXPECT_EQ(back->columns, 120);
}

TEST(LaunchBody, EveryCutIsRefused) {
  WireWriter out;
  Encode(out, Sample());
  for (std::size_t size = 0; size < out.bytes().size(); ++size) EXPECT_FALSE(DecodeLaunchBody(out.bytes().first(size))) << size;
}

TEST(LaunchBody, NeedsACommand) {
  LaunchBody body = Sample();
  body.argv.clear();
  WireWriter out;
  Encode(out, body);
  EXPECT_FALSE(DecodeLaunchBody(out.bytes()));
}

TEST(LaunchBody, AHugeCountReadsNothing) {
  WireWriter out;
  out.U64(UINT64_MAX);  // count of argv
  EXPECT_FALSE(DecodeLaunchBody(out.bytes()));
}

TEST(Take, RoundTripsAndRefusesCuts) {
  Take take;
  take.cell = 3;
  take.limits.pids = 7;
  take.workspace_path = "/home/someone/project";
  WireWriter out;
  Encode(out, take);
  const auto back = DecodeTake(out.bytes());
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->cell, 3u);
  EXPECT_EQ(back->limits, take.limits);
  EXPECT_EQ(back->workspace_path, take.workspace_path);
  EXPECT_EQ(back->inputs_path, "");
  for (std::size_t size = 0; size < out.bytes().size(); ++size) EXPECT_FALSE(DecodeTake(out.bytes().first(size))) << size;
}

TEST(Body, IsSealed) {
  const auto body = SealBody(AsBytes("hello"));
  ASSERT_TRUE(body);
  EXPECT_EQ(::write(body->get(), "x", 1), -1);
  EXPECT_NE(::ftruncate(body->get(), 0), 0);
  EXPECT_EQ(AsText(ReadBody(*body).value()), "hello");
}

TEST(Body, WhatCouldStillChangeIsRefused) {
  const sys::UniqueFd open{::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  EXPECT_FALSE(ReadBody(open));
  const sys::UniqueFd file{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  EXPECT_FALSE(ReadBody(file));
}

TEST(Reply, AnErrorTravelsWithItsCode) {
  CellReply reply;
  reply.error = Error{Code::kExhausted, "full"};
  WireWriter out;
  Encode(out, reply);
  const auto back = DecodeCellReply(out.bytes());
  ASSERT_TRUE(back);
  ASSERT_TRUE(back->error);
  EXPECT_EQ(back->error->code, Code::kExhausted);
  EXPECT_EQ(back->error->what, "full");
}

TEST(EntryReply, RoundTrips) {
  EntryReply reply;
  reply.entry.meta.type = sys::FileType::kSymlink;
  reply.entry.meta.bytes = 7;
  reply.entry.meta.mtime_ns = -5;
  reply.entry.link_target = "../x";
  reply.complete = true;
  WireWriter out;
  Encode(out, reply);
  WireReader in(out.bytes());
  const EntryReply back = DecodeEntryReply(in);
  EXPECT_TRUE(in.Done());
  EXPECT_EQ(back.entry.meta.type, sys::FileType::kSymlink);
  EXPECT_EQ(back.entry.meta.mtime_ns, -5);
  EXPECT_EQ(back.entry.link_target, "../x");
  EXPECT_TRUE(back.complete);
}

}  // namespace
}  // namespace writ::isolation::process
