"""The message definitions of the phone app, as text, with nested types spelled in three parts.

One entry per type; `schema_text` joins a definition with those it refers to. Values are filled in by `messages`.
"""

from __future__ import annotations

_SEPARATOR = "=" * 80

_DEFINITIONS = {
    "builtin_interfaces/msg/Time": "int32 sec\nuint32 nanosec",
    "builtin_interfaces/msg/Duration": "int32 sec\nuint32 nanosec",
    "std_msgs/msg/Header": "builtin_interfaces/msg/Time stamp\nstring frame_id",
    "std_msgs/msg/ColorRGBA": "float32 r\nfloat32 g\nfloat32 b\nfloat32 a",
    "geometry_msgs/msg/Point": "float64 x\nfloat64 y\nfloat64 z",
    "geometry_msgs/msg/Vector3": "float64 x\nfloat64 y\nfloat64 z",
    "geometry_msgs/msg/Quaternion": "float64 x\nfloat64 y\nfloat64 z\nfloat64 w",
    "geometry_msgs/msg/Pose": "geometry_msgs/msg/Point position\ngeometry_msgs/msg/Quaternion orientation",
    "geometry_msgs/msg/PoseStamped": "std_msgs/msg/Header header\ngeometry_msgs/msg/Pose pose",
    "geometry_msgs/msg/Transform": (
        "geometry_msgs/msg/Vector3 translation\ngeometry_msgs/msg/Quaternion rotation"
    ),
    "geometry_msgs/msg/TransformStamped": (
        "std_msgs/msg/Header header\nstring child_frame_id\ngeometry_msgs/msg/Transform transform"
    ),
    "tf2_msgs/msg/TFMessage": "geometry_msgs/msg/TransformStamped[] transforms",
    "nav_msgs/msg/Path": "std_msgs/msg/Header header\ngeometry_msgs/msg/PoseStamped[] poses",
    "sensor_msgs/msg/Imu": (
        "std_msgs/msg/Header header\n"
        "geometry_msgs/msg/Quaternion orientation\nfloat64[9] orientation_covariance\n"
        "geometry_msgs/msg/Vector3 angular_velocity\nfloat64[9] angular_velocity_covariance\n"
        "geometry_msgs/msg/Vector3 linear_acceleration\nfloat64[9] linear_acceleration_covariance"
    ),
    "sensor_msgs/msg/Image": (
        "std_msgs/msg/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\n"
        "uint32 step\nuint8[] data"
    ),
    "sensor_msgs/msg/CompressedImage": "std_msgs/msg/Header header\nstring format\nuint8[] data",
    "sensor_msgs/msg/PointField": "string name\nuint32 offset\nuint8 datatype\nuint32 count",
    "sensor_msgs/msg/PointCloud2": (
        "std_msgs/msg/Header header\nuint32 height\nuint32 width\nsensor_msgs/msg/PointField[] fields\n"
        "bool is_bigendian\nuint32 point_step\nuint32 row_step\nuint8[] data\nbool is_dense"
    ),
    "sensor_msgs/msg/RegionOfInterest": (
        "uint32 x_offset\nuint32 y_offset\nuint32 height\nuint32 width\nbool do_rectify"
    ),
    "sensor_msgs/msg/CameraInfo": (
        "std_msgs/msg/Header header\nuint32 height\nuint32 width\nstring distortion_model\nfloat64[] d\n"
        "float64[9] k\nfloat64[9] r\nfloat64[12] p\nuint32 binning_x\nuint32 binning_y\n"
        "sensor_msgs/msg/RegionOfInterest roi"
    ),
    "visualization_msgs/msg/Marker": (
        "std_msgs/msg/Header header\nstring ns\nint32 id\nint32 type\nint32 action\n"
        "geometry_msgs/msg/Pose pose\ngeometry_msgs/msg/Vector3 scale\nstd_msgs/msg/ColorRGBA color\n"
        "builtin_interfaces/msg/Duration lifetime\nbool frame_locked\ngeometry_msgs/msg/Point[] points\n"
        "std_msgs/msg/ColorRGBA[] colors\nstring text\nstring mesh_resource\nbool mesh_use_embedded_materials"
    ),
    "stera/msg/TrackingState": (
        "std_msgs/msg/Header header\nuint8 state\nuint8 reason\nstring state_str\nstring reason_str"
    ),
    "stera/msg/DeviceMetrics": (
        "std_msgs/msg/Header header\nfloat32 battery_level\nuint8 battery_state\nstring battery_state_str\n"
        "float32 cpu_usage\nfloat64 memory_used_mb\nfloat64 memory_available_mb\nuint8 thermal_state\n"
        "string thermal_state_str\nstring device_model"
    ),
    "stera/msg/ImuIntrinsics": (
        "std_msgs/msg/Header header\nfloat64 accel_noise_density\nfloat64 gyro_noise_density\n"
        "float64 accel_bias_random_walk\nfloat64 gyro_bias_random_walk\n"
        "geometry_msgs/msg/Vector3 accel_bias\ngeometry_msgs/msg/Vector3 gyro_bias\n"
        "uint32 sample_rate_hz\nstring source"
    ),
}

TOPICS = {
    "/camera/pose": "geometry_msgs/msg/PoseStamped",
    "/device/imu": "sensor_msgs/msg/Imu",
    "/camera/depth": "sensor_msgs/msg/Image",
    "/camera/rgb/compressed": "sensor_msgs/msg/CompressedImage",
    "/map/point_cloud": "sensor_msgs/msg/PointCloud2",
    "/map/mesh": "visualization_msgs/msg/Marker",
    "/map/mesh_cloud": "sensor_msgs/msg/PointCloud2",
    "/camera/camera_info": "sensor_msgs/msg/CameraInfo",
    "/camera/depth/camera_info": "sensor_msgs/msg/CameraInfo",
    "/tf": "tf2_msgs/msg/TFMessage",
    "/device/camera_imu_extrinsics": "tf2_msgs/msg/TFMessage",
    "/trajectory": "nav_msgs/msg/Path",
    "/camera/tracking_state": "stera/msg/TrackingState",
    "/device/metrics": "stera/msg/DeviceMetrics",
    "/device/imu/intrinsics": "stera/msg/ImuIntrinsics",
    "/arkit/imu": "sensor_msgs/msg/Imu",
    "/arkit/imu/intrinsics": "stera/msg/ImuIntrinsics",
}
"""Topic to type, in the order in which the app registers its channels."""


def schema_text(name: str) -> str:
    """Join the definition of a type with all that it refers to, each once, in order of first use."""
    parts = [_DEFINITIONS[name]]
    parts += [f"MSG: {nested}\n{_DEFINITIONS[nested]}" for nested in _nested(name)]
    return f"\n{_SEPARATOR}\n".join(parts)


def _nested(name: str) -> list[str]:
    found: list[str] = []
    for line in _DEFINITIONS[name].splitlines():
        type_name = line.split()[0].split("[")[0]
        if "/" in type_name:
            found += [entry for entry in [type_name, *_nested(type_name)] if entry not in found]
    return found
