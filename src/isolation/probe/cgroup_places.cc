#include "isolation/probe/cgroup_places.h"

#include <optional>
#include <vector>

namespace writ::isolation {
namespace {

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
std::string Unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      out.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

struct Mount {
  std::string root, point, type, super_options;
};

std::optional<Mount> ParseMount(std::string_view line) {
  const std::size_t dash = line.find(" - ");
  if (dash == std::string_view::npos) return std::nullopt;
  const auto front = Split(line.substr(0, dash), ' '), back = Split(line.substr(dash + 3), ' ');
  if (front.size() < 6 || back.size() < 3) return std::nullopt;
  return Mount{Unescape(front[3]), Unescape(front[4]), std::string(back[0]), std::string(back[2])};
}

/// Our cgroup below the mount point; empty when the mount shows another part of the hierarchy.
std::string Locate(const Mount& mount, std::string_view path) {
  if (mount.root != "/") {
    if (!path.starts_with(mount.root)) return {};
    path.remove_prefix(mount.root.size());
    if (!path.empty() && path.front() != '/') return {};
  }
  // Outside of our cgroup namespace's root the kernel writes "/..".
  if (path.starts_with("/..")) return {};
  return path == "/" || path.empty() ? mount.point : mount.point + std::string(path);
}

}  // namespace

CgroupPlaces FindCgroupPlaces(std::string_view mountinfo, std::string_view cgroup) {
  std::optional<std::string> v2_path;
  std::map<std::string, std::string, std::less<>> v1_paths;
  for (const std::string_view line : Split(cgroup, '\n')) {
    const std::size_t first = line.find(':'), second = line.find(':', first == std::string_view::npos ? first : first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (line.starts_with("0::")) v2_path = std::string(path);
    for (const std::string_view controller : Split(controllers, ','))
      if (!controller.empty()) v1_paths[std::string(controller)] = std::string(path);
  }
  CgroupPlaces places;
  for (const std::string_view line : Split(mountinfo, '\n')) {
    const auto mount = ParseMount(line);
    if (!mount) continue;
    if (mount->type == "cgroup2" && v2_path && places.v2_top.empty()) {
      places.v2_top = mount->point;
      places.v2_own = Locate(*mount, *v2_path);
      if (places.v2_own.size() > places.v2_top.size())
        places.v2_parent = places.v2_own.substr(0, places.v2_own.rfind('/'));
    }
    if (mount->type != "cgroup") continue;
    for (const std::string_view option : Split(mount->super_options, ',')) {
      const auto path = v1_paths.find(option);
      if (path == v1_paths.end()) continue;
      if (std::string place = Locate(*mount, path->second); !place.empty())
        places.v1.emplace(std::string(option), std::move(place));
    }
  }
  return places;
}

}  // namespace writ::isolation
