// Host tool of the build: compiles the policies for one architecture and prints them as a header of constant
// arrays, so that the privileged helper links no library and spends no time on building filters.
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "isolation/process/seccomp/compile.h"

namespace writ::seccomp {
namespace {

Result<std::string> Array(std::string_view name, Policy policy, const Architecture& architecture) {
  const auto program = WRIT_TRY(name, Compile(policy, architecture));
  std::string out = fmt::format("/// {} instructions for {}.\ninline constexpr sock_filter {}[] = {{\n", program.size(),
                                architecture.name, name);
  for (const auto& step : program) {
    out += fmt::format("    {{0x{:02x}, {}, {}, 0x{:08x}}},\n", step.code, step.jt, step.jf, step.k);
  }
  return out + "};\n";
}

Result<std::string> Header(std::string_view architecture_name) {
  const auto architecture = WRIT_TRY("generate", FindArchitecture(architecture_name));
  return "// Made by writ_seccomp_generate from src/isolation/process/seccomp/rules/.\n#pragma once\n\n"
         "#include <linux/filter.h>\n\nnamespace writ::seccomp::generated {\n\n" +
         WRIT_TRY("guest policy", Array("kGuest", GuestPolicy(), architecture)) + "\n" +
         WRIT_TRY("client policy", Array("kClient", ClientPolicy(), architecture)) + "\n" +
         WRIT_TRY("network client policy", Array("kNetworkClient", NetworkClientPolicy(), architecture)) +
         "\n}  // namespace writ::seccomp::generated\n";
}

int Main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: {} ARCHITECTURE OUTPUT\n", argc > 0 ? argv[0] : "writ_seccomp_generate");
    return 2;
  }
  const auto header = Header(argv[1]);
  if (!header) {
    fmt::print(stderr, "{}\n", header.error().what);
    return 1;
  }
  std::FILE* file = std::fopen(argv[2], "w");
  if (file == nullptr) {
    std::perror(argv[2]);
    return 1;
  }
  const bool written = std::fwrite(header->data(), 1, header->size(), file) == header->size();
  if (std::fclose(file) != 0 || !written) {
    std::perror(argv[2]);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace writ::seccomp

int main(int argc, char** argv) { return writ::seccomp::Main(argc, argv); }
