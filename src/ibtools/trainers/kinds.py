"""Which trainer is for which kind of network, and what is said to one that went to another."""

from ibtools.models import RegressionModel, TwoLayerNet

_REGRESSION = "gradient_flow or gradient_descent"
_CLASSIFICATION = "margin_flow, descend or psi_flow"


def require_regression_model(net: object) -> None:
    """Refuse what is no regression model, and name the trainers it has.

    Raises
    ------
    TypeError
        If it is none.

    Examples
    --------
    >>> from ibtools.models import TwoLayerNet
    >>> from ibtools.trainers.kinds import require_regression_model
    >>> require_regression_model(TwoLayerNet([[1.0], [1.0]], slope=0.0))
    Traceback (most recent call last):
        ...
    TypeError: net must be a regression model (DiagonalNet, LinearNet, LinearNeuron or one of ...
    """
    if not isinstance(net, RegressionModel) or isinstance(net, type):
        raise TypeError(
            "net must be a regression model (DiagonalNet, LinearNet, LinearNeuron or one of your "
            f"own with all that ibtools.models.RegressionModel lists), got {_named(net)}; "
            f"{_mend(net)}"
        )


def wrong_kind_for_nets(net: object) -> TypeError:
    """Return what is said of `net` where a PyTorch net is needed.

    Examples
    --------
    >>> from ibtools.models import TwoLayerNet
    >>> from ibtools.trainers.kinds import wrong_kind_for_nets
    >>> print(wrong_kind_for_nets(TwoLayerNet([[1.0], [1.0]], slope=0.0)))
    net must be a PyTorch net (a torch.nn.Module), got TwoLayerNet; train it with train_two_layer
    """
    return TypeError(
        f"net must be a PyTorch net (a torch.nn.Module), got {_named(net)}; {_mend(net)}"
    )


def _named(net: object) -> str:
    return f"the class {net.__name__}" if isinstance(net, type) else type(net).__name__


def _mend(net: object) -> str:
    if isinstance(net, type):
        return f"make a network of it first, {net.__name__}(...)"
    if isinstance(net, TwoLayerNet):
        return "train it with train_two_layer"
    if isinstance(net, RegressionModel):
        return f"train it with {_REGRESSION}"
    # Asked by name, as PyTorch may be missing.
    if any(kind.__module__.startswith("torch.nn") for kind in type(net).__mro__):
        return f"train it, with labels ±1 or classes 0 … k−1, with {_CLASSIFICATION}"
    return (
        f"PyTorch nets have {_CLASSIFICATION}, regression models {_REGRESSION}, and a TwoLayerNet "
        "has train_two_layer"
    )
