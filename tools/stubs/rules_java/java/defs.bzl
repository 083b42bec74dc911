"""What Bazel 4's own packages load from rules_java: the native rules."""

java_import = native.java_import
java_runtime = native.java_runtime
java_toolchain = native.java_toolchain
