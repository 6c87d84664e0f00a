# Read by llama.cpp's build through `CMAKE_PROJECT_INCLUDE` (config.toml). Of its `common` part only the way from a JSON schema
# to a grammar is used, so that part is compiled in few pieces and hardly optimised: it takes minutes of a build from nothing.
if(PROJECT_NAME STREQUAL "llama.cpp")
  cmake_language(DEFER CALL set_target_properties llama-common PROPERTIES UNITY_BUILD ON)
  if(NOT MSVC)
    cmake_language(DEFER CALL target_compile_options llama-common PRIVATE -O1)
  endif()
endif()
