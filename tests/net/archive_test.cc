// Archives with hostile members, unpacked in a cell by the programs that people use. They enter as inputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "matchers.h"
#include "outside.h"

namespace writ::net_test {
namespace {

/// Makes FOLDER/evil.tar and FOLDER/evil.zip: members that would write `PLACE/canary` and other files of PLACE.
constexpr std::string_view kMakeArchives = R"(
import io, sys, tarfile, zipfile
folder, place = sys.argv[1], sys.argv[2]
up = "../" * 12
with tarfile.open(folder + "/evil.tar", "w", format=tarfile.PAX_FORMAT) as tar:
    def file(name, text=b"evil\n", **more):
        member = tarfile.TarInfo(name)
        member.size = len(text)
        for key, value in more.items():
            setattr(member, key, value)
        tar.addfile(member, io.BytesIO(text))
    def other(name, kind, target="", **more):
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        for key, value in more.items():
            setattr(member, key, value)
        tar.addfile(member)
    file(place + "/canary")
    file(up + place + "/canary")
    file(place + "/absolute")
    file(up + place + "/dots")
    other("link", tarfile.SYMTYPE, place)
    file("link/canary")
    file("link/through-link")
    other("uplink", tarfile.SYMTYPE, up + place)
    file("uplink/canary")
    other("hard", tarfile.LNKTYPE, place + "/canary")
    file("hard")
    other("root", tarfile.SYMTYPE, "/proc/1/root" + place)
    file("root/canary")
    other("disk", tarfile.BLKTYPE, mode=0o666, devmajor=8, devminor=0)
    other("memory", tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=1)
    file("set-id", b"#!/bin/sh\n", mode=0o6755, uid=0, gid=0)
    file("twice", b"first\n")
    file("twice", b"second\n")
    file("Case")
    file("case")
    file("harmless", pax_headers={"path": place + "/pax"})
    file("last")
with zipfile.ZipFile(folder + "/evil.zip", "w") as archive:
    drive = "C:" + place.replace("/", "\\") + "\\canary"
    for name in (place + "/canary", up + place + "/zip", drive, "..\\..\\canary", "ok"):
        archive.writestr(name, "evil\n")
)";

TEST(NetArchive, Attack28_HostileMembersStayInTheCell) {
  WRIT_NEEDS_CLIENTS("/usr/bin/tar");
  const Outside outside;
  const std::string place = outside.File("place");
  ASSERT_TRUE(std::filesystem::create_directory(place));
  ASSERT_EQ(::chmod(place.c_str(), 0777), 0) << "nothing but the cell keeps a job out";
  ASSERT_EQ(outside.Host({"/bin/sh", "-c", "echo untouched > '" + place + "/canary'; chmod 666 '" + place + "/canary'"})
                .status,
            0);
  const auto made = outside.Host({"/usr/bin/python3", "-c", std::string(kMakeArchives), outside.File(""), place});
  ASSERT_EQ(made.status, 0) << made.err;
  const Job job = RunJob(
      outside, {"--net", "public.test", "--input", outside.File("evil.tar"), "--input", outside.File("evil.zip")},
      "tar -xPf /in/evil.tar; echo \"in the cell: $(cat '" + place +
          "/canary')\"; mkdir again; cd again; tar --absolute-names --keep-directory-symlink --same-owner -xpf "
          "/in/evil.tar; "
          "cd ..; mkdir python; cd python; /usr/bin/python3 -c 'import tarfile, zipfile\n"
          "zipfile.ZipFile(\"/in/evil.zip\").extractall()\n"
          "for member in tarfile.open(\"/in/evil.tar\"):\n"
          "  try: tarfile.open(\"/in/evil.tar\").extract(member, \"/work/python\")\n"
          "  except Exception as error: print(error)'; cd ..; cat twice; ls -d last again/last python/last; "
          "test -b disk -o -b again/disk -o -b python/disk || echo no device; "
          "test -c memory -o -c again/memory -o -c python/memory || echo no memory");
  EXPECT_THAT(job.ended.out, AllOf(HasSubstr("in the cell: evil\n"), HasSubstr("second\n"),
                                   HasSubstr("again/last\nlast\npython/last\n"), HasSubstr("no device\nno memory\n")))
      << job.ended.err;
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(place)) ++entries;
  EXPECT_EQ(entries, 1u) << "only the canary is there";
  EXPECT_EQ(sys::ReadFile(place + "/canary", 100).value_or(""), "untouched\n");
  const std::string evidence = canon::Compact(job.bundle);
  for (const char* name : {"evil.tar", "evil.zip", "\"link\"", "\"set-id\"", "\"again/uplink\"", "\"python/twice\""})
    EXPECT_THAT(evidence, HasSubstr(name)) << "what the archive made is in the evidence";
}

TEST(NetArchive, Attack28_BombsEndAtTheDiskLimit) {
  WRIT_NEEDS_CLIENTS("/usr/bin/tar");
  const Outside outside;
  const auto made = outside.Host({"/usr/bin/python3", "-c", R"(
import gzip, io, sys, tarfile
with gzip.open(sys.argv[1] + "/bomb.gz", "wb") as bomb:
    for _ in range(64):
        bomb.write(bytes(1 << 20))
member = tarfile.TarInfo("lie")
member.size = 1 << 60
with open(sys.argv[1] + "/lie.tar", "wb") as lie:
    lie.write(member.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
)",
                                  outside.File("")});
  ASSERT_EQ(made.status, 0) << made.err;
  const Job job =
      RunJob(outside, {"--disk", "8M", "--input", outside.File("bomb.gz"), "--input", outside.File("lie.tar")},
             "gzip -dc /in/bomb.gz > bomb; echo $?; du -m bomb | cut -f1; rm bomb; tar -xf /in/lie.tar; test $? -ne 0 "
             "&& echo noticed");
  EXPECT_THAT(job.ended.out, AllOf(HasSubstr("noticed\n"), Not(HasSubstr("64\n")))) << job.ended.err;
  EXPECT_THAT(job.ended.err, HasSubstr("No space left on device"));
  EXPECT_THAT(job.Receipt("enforced"), HasSubstr(R"("disk":"tmpfs")"));
}

}  // namespace
}  // namespace writ::net_test
